/* The host's port: lines go out, commands come in and run beside the passes, one after another. */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_COMMAND = 64 * 1024, MOST_OUTPUT = 4000 };

static char received[MOST_COMMAND + 1];
static long received_length;
static pid_t child;
static long number; /* of the command that runs */
static int child_output = -1;
static char tail[2 * MOST_OUTPUT];
static long tail_length;

/* Tell a virtio port, which outlives its reader, from a pipe. */
static bool is_port(int file) {
    struct stat status;
    return !fstat(file, &status) && S_ISCHR(status.st_mode);
}

void send_text(const char *data, long length) {
    while (length > 0) {
        long sent = write(1, data, length);
        if (sent < 0 && errno != EINTR && errno != EAGAIN && !is_port(1)) exit(1);
        if (sent < 0) poll(NULL, 0, 100);
        else data += sent, length -= sent;
    }
}

bool set_rate(double hertz, double *period) {
    if (!(hertz >= 0.1 && hertz <= 100)) return false;
    *period = 1 / hertz;
    return true;
}

/* Append a character of JSON's \uXXXX form as UTF-8. */
static char *append_unicode(char *to, unsigned code) {
    if (code < 0x80) {
        *to++ = code;
        return to;
    }
    if (code < 0x800) *to++ = 0xc0 | code >> 6;
    else {
        *to++ = 0xe0 | code >> 12;
        *to++ = 0x80 | (code >> 6 & 0x3f);
    }
    *to++ = 0x80 | (code & 0x3f);
    return to;
}

/* Decode a JSON string in place, from behind its opening quote. */
static void decode_string(char *from) {
    static const char SHORT[] = "n\nt\tr\rb\bf\f";
    char *to = from;
    for (; *from && *from != '"'; from++) {
        if (*from != '\\') {
            *to++ = *from;
            continue;
        }
        const char *match = strchr(SHORT, *++from);
        unsigned code;
        if (*from == 'u' && sscanf(from + 1, "%4x", &code) == 1) {
            to = append_unicode(to, code);
            from += 4;
        } else *to++ = *from && match ? match[1] : *from;
        if (!*from) break;
    }
    *to = 0;
}

static void start(const char *command) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC)) return;
    tail_length = 0;
    child = fork();
    if (!child) {
        int nothing = open("/dev/null", O_RDONLY);
        int score = open("/proc/self/oom_score_adj", O_WRONLY); /* it may be killed */
        if (write(score, "0", 1) < 0) close(score);
        setpriority(PRIO_PROCESS, 0, 0);
        setsid();
        dup2(nothing, 0);
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    child_output = ends[0];
}

/* Keep the end of what the command prints; false when nothing more came. */
static bool read_output(void) {
    if (tail_length > MOST_OUTPUT) {
        memmove(tail, tail + tail_length - MOST_OUTPUT, MOST_OUTPUT);
        tail_length = MOST_OUTPUT;
    }
    long got = read(child_output, tail + tail_length, MOST_OUTPUT);
    if (got > 0) tail_length += got;
    return got > 0;
}

/* Answer for a command whose shell ended, whatever it left running. */
static void finish(void) {
    int status = 127 << 8, code; /* a shell that could not be forked leaves it so */
    if (!child || waitpid(child, &status, WNOHANG) != child) return;
    for (int i = 0; i < 64 && read_output();) i++; /* a process left behind may print for ever */
    close(child_output);
    child = 0;
    child_output = -1;
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    long skipped = tail_length > MOST_OUTPUT ? tail_length - MOST_OUTPUT : 0;
    put("{\"number\":%ld,\"ran\":%d,\"output\":", number, code);
    put_string(tail + skipped, tail_length - skipped);
    put("}\n");
    send_line();
}

/* Act on the first complete line that came in, if no command is running. */
static void obey(double *period) {
    char *end = child ? NULL : memchr(received, '\n', received_length);
    if (!end) return;
    *end++ = 0;
    char *command = strstr(received, "\"run\""), *rate = strstr(received, "\"hz\":");
    char *numbered = strstr(received, "\"number\":");
    if (command && (command = strchr(command + 5, '"'))) {
        number = numbered ? atol(numbered + 9) : 0;
        decode_string(++command);
        start(command);
    } else if (rate) set_rate(atof(rate + 5), period);
    received_length -= end - received;
    memmove(received, end, received_length);
}

/* Read what the host sent; false without a host at the other end. */
static bool receive(void) {
    if (received_length == MOST_COMMAND) received_length = 0; /* no command is that long */
    long got = read(0, received + received_length, MOST_COMMAND - received_length);
    if (got <= 0 && !is_port(0)) exit(0);
    if (got > 0) received_length += got;
    return got > 0;
}

void wait_until(double due, double *period) {
    bool listening = true;
    for (;;) {
        finish();
        obey(period);
        double left = due - now();
        if (left <= 0) return;
        struct pollfd ends[] = {
            {.fd = listening ? 0 : -1, .events = POLLIN},
            {.fd = child_output, .events = POLLIN},
        };
        if (poll(ends, 2, left * 1000 + 1) <= 0) continue;
        if (ends[0].revents) listening = receive();
        if (ends[1].revents && !read_output()) poll(NULL, 0, 5); /* it is about to end */
    }
}
