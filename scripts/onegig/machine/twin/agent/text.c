/* The kernel's files in, JSON out. */
#define _GNU_SOURCE
#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_TEXT = 256 * 1024, MOST_LINE = 1024 * 1024 };

char text[MOST_TEXT + 1];
static char line[MOST_LINE];
static long line_length;

const char *const CGROUP_FIELDS[] = {
    "anon", "file", "kernel", "kernel_stack", "pagetables", "percpu", "sock", "vmalloc", "shmem",
    "inactive_file", "slab_reclaimable", "slab", "workingset_refault_anon",
    "workingset_refault_file", "pgmajfault", NULL,
};
static const char *const MEMORY_FIELDS[] = {
    "MemTotal", "MemAvailable", "SwapTotal", "SwapFree", "Shmem", "SUnreclaim", "KernelStack",
    "PageTables", "SecPageTables", "Percpu", NULL,
};
static const char *const COUNTER_FIELDS[] = {
    "pswpin", "pgmajfault", "workingset_refault_anon", "workingset_refault_file", "oom_kill", NULL,
};

double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

long read_text(const char *path, ...) {
    char full[1024];
    va_list values;
    va_start(values, path);
    vsnprintf(full, sizeof full, path, values);
    va_end(values);
    long length = 0, got = -1;
    int file = open(full, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        while ((got = read(file, text + length, MOST_TEXT - length)) > 0) length += got;
        int error = errno;
        close(file);
        errno = error;
    }
    text[got < 0 ? 0 : length] = 0;
    return got < 0 ? -1 : length;
}

long long number_after(const char *name) {
    size_t length = strlen(name);
    for (const char *at = text; at; at = strchr(at, '\n'), at = at ? at + 1 : at)
        if (!strncmp(at, name, length)) return atoll(at + length);
    return 0;
}

void put(const char *format, ...) {
    va_list values;
    va_start(values, format);
    long room = MOST_LINE - line_length;
    long length = vsnprintf(line + line_length, room, format, values);
    va_end(values);
    line_length += length < room ? length : room - 1;
}

void put_string(const char *value, long length) {
    put("\"");
    for (long i = 0; i < length; i++) {
        unsigned char c = value[i];
        if (c == '"' || c == '\\') put("\\%c", c);
        else if (c < ' ' || c == 127) put("\\u%04x", c);
        else put("%c", c);
    }
    put("\"");
}

static bool is_wanted(const char *const *fields, const char *name, size_t length) {
    for (; *fields; fields++)
        if (!strncmp(*fields, name, length) && !(*fields)[length]) return true;
    return false;
}

void put_table(const char *const *fields) {
    const char *comma = "";
    put("{");
    for (const char *at = text; *at;) {
        size_t name = strcspn(at, ": \n");
        const char *value = at + name + strspn(at + name, ": ");
        if (is_wanted(fields, at, name)) {
            put("%s\"%.*s\":%lld", comma, (int)name, at, atoll(value));
            comma = ",";
        }
        at = value + strcspn(value, "\n");
        at += *at == '\n';
    }
    put("}");
}

/* Return microseconds since boot; -1 where the kernel has none. */
static long long total_of(const char *kind) {
    const char *at = strstr(text, kind), *total = at ? strstr(at, "total=") : NULL;
    return total ? atoll(total + 6) : -1;
}

static void put_pressure(void) {
    read_text("/proc/pressure/memory");
    long long some = total_of("some "), full = total_of("full ");
    if (some < 0) put("null");
    else put("[%lld,%lld]", some, full < 0 ? 0 : full);
}

/* Read the agent's own memory, in kB: pages, page tables, and the kernel's stack of 16 kB. */
static long own_memory(void) {
    read_text("/proc/self/smaps_rollup");
    long own = number_after("Pss:");
    read_text("/proc/self/status");
    return own + number_after("VmPTE:") + 16;
}

/* Write the counters, which cost more than all the rest, as they were read last. */
static void put_counters(bool afresh) {
    static char counters[2048];
    long before = line_length;
    if (afresh) {
        read_text("/proc/vmstat");
        put(",\"vmstat\":");
        put_table(COUNTER_FIELDS);
        put(",\"sampler\":%ld", own_memory());
        snprintf(counters, sizeof counters, "%s", line + before);
    } else put("%s", counters);
}

/* Count the free pages, in kB, that each processor keeps for itself: MemAvailable is without them. */
static long free_lists(void) {
    long pages = 0;
    read_text("/proc/zoneinfo");
    for (const char *at = text; (at = strstr(at, " count:")); at++) pages += atol(at + 7);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

void put_machine(bool slow) {
    read_text("/proc/meminfo");
    put(",\"meminfo\":");
    put_table(MEMORY_FIELDS);
    put(",\"free_lists\":%ld", free_lists());
    put_counters(slow);
    put(",\"memory_pressure\":");
    put_pressure();
}

/* Write the kernel's records of OOM kills since the last pass, as they stand in its log. */
void put_oom_kills(void) {
    static int log = -2;
    const char *comma = "";
    if (log == -2 && (log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0)
        lseek(log, 0, SEEK_END);
    put(",\"oom\":[");
    for (char record[8192]; log >= 0;) {
        long length = read(log, record, sizeof record - 1);
        if (length < 0 && errno == EPIPE) continue; /* the ring buffer overtook this reader */
        if (length <= 0) break;
        record[length] = 0;
        if (!strstr(record, "oom-kill:")) continue;
        put("%s", comma);
        put_string(record, strcspn(record, "\n"));
        comma = ",";
    }
    put("]");
}

void send_line(void) {
    send_text(line, line_length);
    line_length = 0;
}
