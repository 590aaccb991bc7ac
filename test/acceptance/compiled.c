/* A custom runtime in C: asks for an invocation, answers with its event, over and over. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_BYTES = 65536, EVENT_BYTES = 8 * 1024 * 1024 };

static char address[256];
static char head[HEAD_BYTES];
static char event[EVENT_BYTES];

static int dial(void) {
  char host[256];
  snprintf(host, sizeof host, "%s", address);
  char *colon = strrchr(host, ':');
  if (colon == NULL) exit(2);
  *colon = 0;
  struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
  if (getaddrinfo(host, colon + 1, &hints, &found) != 0) exit(3);
  int connection = socket(found->ai_family, found->ai_socktype, 0);
  if (connect(connection, found->ai_addr, found->ai_addrlen) != 0) exit(4);
  freeaddrinfo(found);
  return connection;
}

static void send_all(int connection, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t sent = write(connection, bytes, count);
    if (sent <= 0) exit(5);
    bytes += sent;
    count -= (size_t)sent;
  }
}

/* Reads a response; the body goes to `event`. Returns its length. */
static size_t receive(int connection) {
  size_t have = 0;
  char *end = NULL;
  while (end == NULL) {
    ssize_t got = read(connection, head + have, HEAD_BYTES - 1 - have);
    if (got <= 0) exit(6);
    have += (size_t)got;
    head[have] = 0;
    end = strstr(head, "\r\n\r\n");
  }
  const char *field = strcasestr(head, "content-length:");
  size_t length = field == NULL ? 0 : strtoul(field + strlen("content-length:"), NULL, 10);
  size_t early = have - (size_t)(end + 4 - head);
  memcpy(event, end + 4, early);
  while (early < length) {
    ssize_t got = read(connection, event + early, length - early);
    if (got <= 0) exit(7);
    early += (size_t)got;
  }
  *end = 0;
  return length;
}

int main(void) {
  const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
  if (api == NULL) return 1;
  snprintf(address, sizeof address, "%s", api);
  int connection = dial();
  for (;;) {
    char request[512], id[64];
    int size = snprintf(request, sizeof request,
                        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n", address);
    send_all(connection, request, (size_t)size);
    size_t length = receive(connection);
    const char *field = strcasestr(head, "lambda-runtime-aws-request-id:");
    if (field == NULL || sscanf(strchr(field, ':') + 1, " %63[^\r]", id) != 1) return 8;
    printf("compiled %s\n", id);
    fflush(stdout);
    if (strstr(event, "crash") != NULL) abort();
    size = snprintf(request, sizeof request,
                    "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\n"
                    "Content-Length: %zu\r\n\r\n", id, address, length);
    send_all(connection, request, (size_t)size);
    send_all(connection, event, length);
    receive(connection);
  }
}
