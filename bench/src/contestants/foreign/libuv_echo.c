/* An echo server on libuv as in its guide: a buffer for each read, a request for each write. Allocations are
 * saved where the library permits: one buffer for all reads, and uv_try_write before a request is made. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <uv.h>

static char buffer[64 * 1024];

typedef struct {
    uv_write_t request;
    char data[];
} pending_t;

static void give_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(buffer, sizeof buffer);
}

static void closed(uv_handle_t *handle) { free(handle); }

static void written(uv_write_t *request, int status) {
    (void)status;
    free(request);
}

static void received(uv_stream_t *stream, ssize_t len, const uv_buf_t *buf) {
    if (len < 0) {
        uv_close((uv_handle_t *)stream, closed);
        return;
    }
    uv_buf_t out = uv_buf_init(buf->base, (unsigned)len);
    int sent = uv_try_write(stream, &out, 1);
    if (sent < 0) sent = 0;
    if (sent < len) {
        size_t rest = (size_t)(len - sent);
        pending_t *pending = malloc(sizeof *pending + rest);
        memcpy(pending->data, buf->base + sent, rest);
        out = uv_buf_init(pending->data, (unsigned)rest);
        uv_write(&pending->request, stream, &out, 1, written);
    }
}

static void connected(uv_stream_t *listener, int status) {
    if (status < 0) return;
    uv_tcp_t *stream = malloc(sizeof *stream);
    uv_tcp_init(listener->loop, stream);
    if (uv_accept(listener, (uv_stream_t *)stream) == 0) {
        uv_tcp_nodelay(stream, 1);
        uv_read_start((uv_stream_t *)stream, give_buffer, received);
    } else {
        uv_close((uv_handle_t *)stream, closed);
    }
}

int main(int argc, char **argv) {
    char host[64] = "127.0.0.1";
    int port = 0;
    if (argc == 3 && strcmp(argv[1], "--listen") == 0) {
        char *colon = strrchr(argv[2], ':');
        if (colon == NULL) return 2;
        snprintf(host, sizeof host, "%.*s", (int)(colon - argv[2]), argv[2]);
        port = atoi(colon + 1);
    }
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address;
    uv_tcp_t listener;
    uv_tcp_init(uv_default_loop(), &listener);
    uv_ip4_addr(host, port, &address);
    uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    int failed = uv_listen((uv_stream_t *)&listener, 4096, connected);
    if (failed) {
        fprintf(stderr, "%s\n", uv_strerror(failed));
        return 1;
    }
    int len = sizeof address;
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &len);
    printf("listening on %s:%d\n", host, ntohs(address.sin_port));
    fflush(stdout);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
