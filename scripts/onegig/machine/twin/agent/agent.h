/* The parts of the agent: text.c reads files and writes lines, port.c speaks to the host. */
#ifndef AGENT_H
#define AGENT_H

#include <stdbool.h>
#include <stdio.h>

/* What to pass on from memory.stat, named as Linux Documentation/admin-guide/cgroup-v2.rst does. */
extern const char *const CGROUP_FIELDS[];

extern char text[]; /* of the file read last, ends with a zero */

double now(void); /* CLOCK_MONOTONIC, in seconds */

/* Read a whole file into `text`: its length, or -1 with errno set and `text` empty. */
long read_text(const char *path, ...) __attribute__((format(printf, 1, 2)));

long long number_after(const char *name); /* in `text`, at the begin of a line; 0 without it */

/* Append to the line that `send_line` sends. */
void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
void put_string(const char *value, long length);
void put_table(const char *const *fields); /* those of `text`'s lines "name value", as an object */
void put_machine(bool slow); /* some of it only once a second */
void put_oom_kills(void);

bool set_rate(double hertz, double *period); /* false for a rate that is out of range */
void send_line(void);
void send_text(const char *data, long length);
void wait_until(double due, double *period); /* meanwhile commands come in and run */

#endif
