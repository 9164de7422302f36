//! Tables of zone texts and of what zones answer.
