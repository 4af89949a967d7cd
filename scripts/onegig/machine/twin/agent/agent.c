/* Samples the memory of the machine it runs in, and runs commands that its host sends.
 *
 *     agent [HZ [CGROUPS]] <>/dev/virtio-ports/onegig >&0
 *
 * One JSON line goes out per pass (passes.py reads it) and one per command that ended; lines
 * {"number": N, "run": "SHELL COMMAND"} and {"hz": N} come in; the answer has the number.
 * Sizes are kB as the kernel prints them in /proc, bytes as it prints them for cgroups.
 *
 * The machine's and the containers' accounts are read at every pass. Memory of processes
 * (/proc/PID/smaps_rollup) costs more, and all is time that the measured machine does not have: it
 * is due at every pass in a container whose account moved, else once a second, and where the time
 * does not suffice they take turns, longest overdue first.
 * Needs cgroup version 2, Linux 4.14 or later, and any C library.
 */
#define _GNU_SOURCE
#include "agent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_PROCESSES = 8192, MOST_CGROUPS = 1024, ID_LENGTH = 64, KCMP_VM = 1 };
enum { TURNS = 20 }; /* passes after which each process was read, whatever else takes their time */
/* Programs that stay, the runtimes that start containers and health checks, and the rest. */
enum kind { DOCKERD, CONTAINERD, SHIM, PROXY, PODMAN, CONMON, NETAVARK, DNS, RUNC, CRUN, OTHER, KINDS };

static const char *const PROGRAMS[] = {
    "dockerd", "containerd", "containerd-shim", "docker-proxy", "podman", "conmon", "netavark",
    "aardvark-dns",
};
static const char *const KIND_NAMES[] = {
    "dockerd", "containerd", "shim", "proxy", "podman", "conmon", "netavark", "dns", "runc", "crun",
    "other",
};
static const char *const PARENTS[] = {"system.slice", "machine.slice", "docker", NULL}; /* of containers */
static const char *const PREFIXES[] = {"docker-", "libpod-", NULL}; /* of their scopes */
static const double SLOW_SECONDS = 1.0;
static const double PASS_SHARE = 0.25;   /* of a period, after which no further process is read */

struct usage { long processes, rss, pss, shmem; };

struct cgroup {
    char path[400];
    int container; /* index of the container's own cgroup, -1 outside of containers */
    bool engine;   /* holds a process of the engine */
    bool moved;    /* the container takes more or less than in the last pass */
    long long current, peak, oom_kills;
    struct usage usage;
};

struct process {
    int pid, cgroup;
    enum kind kind;
    bool looked_at, own_name;  /* a container's runc turns into its program, never back */
    bool own_memory;           /* not its parent's, as between vfork and exec */
    bool kernel, unreadable;
    unsigned seen;             /* the last pass that listed it */
    double read_at;
    struct usage usage;
};

static const char *root = "/sys/fs/cgroup";
static struct cgroup cgroups[MOST_CGROUPS];
static struct process processes[MOST_PROCESSES];
static int cgroup_count, process_count;
static unsigned pass;

/* Return a cgroup's name from the container's id on, if there is one behind the prefix. */
static const char *without_prefix(const char *name) {
    for (int i = 0; PREFIXES[i]; i++)
        if (!strncmp(name, PREFIXES[i], strlen(PREFIXES[i]))) return name + strlen(PREFIXES[i]);
    return name;
}

static bool begins_with_id(const char *name) {
    return strspn(name, "0123456789abcdef") == ID_LENGTH;
}

static bool is_container(const char *name) {
    name = without_prefix(name);
    return begins_with_id(name) && (!name[ID_LENGTH] || !strcmp(name + ID_LENGTH, ".scope"));
}

/* Tell a health check of Podman's: a systemd unit that lives for a moment. */
static bool is_health_check(const char *name) {
    return begins_with_id(name) && name[ID_LENGTH] == '-';
}

static const char *container_id(const struct cgroup *group) {
    return without_prefix(strrchr(group->path, '/') + 1);
}

static bool read_cgroup(const struct cgroup *group, const char *name) {
    return read_text("%s/%s", group->path, name) > 0;
}

/* Read what only grows: once a second is enough. */
static void read_marks(struct cgroup *group) {
    group->peak = read_cgroup(group, "memory.peak") ? atoll(text) : -1;
    group->oom_kills = read_cgroup(group, "memory.events") ? number_after("oom_kill ") : 0;
}

/* Add a cgroup and all below it. */
static void walk(const char *path, int container) {
    if (cgroup_count == MOST_CGROUPS || strlen(path) >= sizeof cgroups->path) return;
    int own = cgroup_count++;
    struct cgroup *group = &cgroups[own];
    memset(group, 0, sizeof *group);
    strcpy(group->path, path);
    const char *name = strrchr(path, '/') + 1;
    bool begins = container < 0 && own && is_container(name);
    group->container = begins ? own : container;
    group->engine = is_health_check(name);
    if (begins) read_marks(group);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char below[sizeof group->path + 260];
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        walk(below, group->container);
    }
    if (folder) closedir(folder);
}

/* Add containers and health checks that appeared since the last walk. */
static void find_new_containers(const char *parent) {
    char path[sizeof cgroups->path + 520];
    snprintf(path, sizeof path, "%s/%s", root, parent);
    DIR *folder = opendir(path);
    size_t length = strlen(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (!is_container(entry->d_name) && !is_health_check(entry->d_name)) continue;
        snprintf(path + length, sizeof path - length, "/%s", entry->d_name);
        int known = 0;
        while (known < cgroup_count && strcmp(cgroups[known].path, path)) known++;
        if (known == cgroup_count) walk(path, -1);
    }
    if (folder) closedir(folder);
}

static struct process *find_process(int pid) {
    for (int i = 0; i < process_count; i++)
        if (processes[i].pid == pid) return &processes[i];
    if (process_count == MOST_PROCESSES) return NULL;
    struct process *process = &processes[process_count++];
    memset(process, 0, sizeof *process);
    process->pid = pid;
    process->kind = OTHER;
    return process;
}

/* Note that a cgroup holds the engine; never the root, where the kernel's threads are. */
static void mark_engine(const struct process *process) {
    struct cgroup *group = &cgroups[process->cgroup];
    if (process->cgroup && group->container < 0 && process->kind < RUNC) group->engine = true;
}

static void list_processes(int index) {
    if (!read_cgroup(&cgroups[index], "cgroup.procs")) return;
    for (char *at = text, *end;; at = end) {
        int pid = strtol(at, &end, 10);
        if (end == at) return;
        struct process *process = pid == getpid() ? NULL : find_process(pid);
        if (!process) continue;
        process->cgroup = index;
        process->seen = pass;
        mark_engine(process);
    }
}

static bool is_runtime(const struct process *process) {
    return process->kind == RUNC || process->kind == CRUN;
}

/* Take a process's kind from its name, until a container's process has become itself. */
static void name_process(struct process *process, bool contained) {
    if (process->own_name || !read_text("/proc/%d/comm", process->pid)) return;
    text[strcspn(text, "\n")] = 0;
    process->kind = !strncmp(text, "runc", 4) ? RUNC : !strcmp(text, "crun") ? CRUN : OTHER;
    for (int i = 0; !contained && i < RUNC; i++)
        if (!strcmp(text, PROGRAMS[i])) process->kind = i;
    if (contained && !is_runtime(process)) process->own_name = process->looked_at;
    process->looked_at = true;
}

/* Tell whether a process between vfork and exec still runs in its parent's memory. */
static bool shares_memory(int pid) {
    if (!read_text("/proc/%d/status", pid)) return false;
    long long parent = number_after("PPid:");
    return parent > 0 && !syscall(SYS_kcmp, pid, (int)parent, KCMP_VM, 0, 0);
}

static void read_process(struct process *process) {
    name_process(process, cgroups[process->cgroup].container >= 0);
    mark_engine(process);
    process->read_at = now();
    if (process->cgroup && !process->own_memory && shares_memory(process->pid)) return;
    process->own_memory = true;
    long length = read_text("/proc/%d/smaps_rollup", process->pid);
    process->unreadable = length < 0 && errno == EACCES;
    process->kernel = length <= 0 && !process->cgroup; /* the kernel's threads stay in the root */
    process->usage = (struct usage){
        .processes = length > 0,
        .rss = number_after("Rss:"),
        .pss = number_after("Pss:"),
        .shmem = number_after("Pss_Shmem:"),
    };
}

/* Tell what may change from pass to pass; what has not its own name yet may turn out to be runc. */
static bool is_fast(const struct process *process) {
    int container = cgroups[process->cgroup].container;
    if (container < 0) return is_runtime(process) || !process->own_memory;
    return is_runtime(process) || !process->own_name || cgroups[container].moved;
}

/* Return when it should be read again: 0 for one that never was. */
static double due_at(const struct process *process) {
    if (!process->read_at || is_fast(process)) return process->read_at;
    return process->read_at + SLOW_SECONDS;
}

static int by_due(const void *left, const void *right) {
    double a = due_at(*(struct process *const *)left), b = due_at(*(struct process *const *)right);
    return (a > b) - (a < b);
}

/* Read the processes that are due, as many as fit; write the age of the oldest of the rest. */
static void read_processes(double started, double period) {
    static struct process *due[MOST_PROCESSES];
    int count = 0, done = 0;
    double oldest = started, end = started + period * PASS_SHARE;
    for (int i = 0; i < process_count; i++)
        if (!processes[i].kernel && due_at(&processes[i]) <= started) due[count++] = &processes[i];
    qsort(due, count, sizeof *due, by_due);
    while (done < count && (now() < end || done <= count / TURNS)) read_process(due[done++]);
    for (int i = done; i < count; i++)
        if (due[i]->read_at && due[i]->read_at < oldest) oldest = due[i]->read_at;
    put(",\"oldest\":%.3f", started - oldest);
}

static void forget_ended(unsigned last_slow) {
    int living = 0;
    for (int i = 0; i < process_count; i++) {
        const struct cgroup *group = &cgroups[processes[i].cgroup];
        bool slow = group->container < 0 && !group->engine;
        if (processes[i].seen >= (slow ? last_slow : pass)) processes[living++] = processes[i];
    }
    process_count = living;
}

static void list_everything(bool slow) {
    static unsigned last_slow;
    if (slow) {
        last_slow = pass;
        cgroup_count = 0;
        walk(root, -1);
    } else {
        for (int i = 0; PARENTS[i]; i++) find_new_containers(PARENTS[i]);
    }
    for (int i = 0; i < cgroup_count; i++)
        if (slow || cgroups[i].container >= 0 || cgroups[i].engine) list_processes(i);
    forget_ended(last_slow);
}

static void put_usage(const char *prefix, const struct usage *usage) {
    put("%s[%ld,%ld,%ld,%ld]", prefix, usage->processes, usage->rss, usage->pss, usage->shmem);
}

static void add_usage(struct usage *sum, const struct usage *usage) {
    sum->processes += usage->processes;
    sum->rss += usage->rss;
    sum->pss += usage->pss;
    sum->shmem += usage->shmem;
}

/* Add up the processes' memory by container and by kind, and write it. */
static void put_processes(void) {
    struct usage engine[KINDS] = {{0}}, system = {0};
    int unreadable = 0;
    for (int i = 0; i < cgroup_count; i++) cgroups[i].usage = (struct usage){0};
    for (int i = 0; i < process_count; i++) {
        const struct process *process = &processes[i];
        const struct cgroup *group = &cgroups[process->cgroup];
        unreadable += process->unreadable;
        struct usage *sum = &system;
        if (group->engine || process->kind < OTHER) sum = &engine[process->kind];
        else if (group->container >= 0) sum = &cgroups[group->container].usage;
        add_usage(sum, &process->usage);
    }
    put(",\"unreadable\":%d,\"system\":", unreadable);
    put_usage("", &system);
    char name[ID_LENGTH + 8];
    const char *comma = "";
    put(",\"engine\":{");
    for (int i = 0; i < KINDS; i++) {
        if (!engine[i].processes) continue;
        snprintf(name, sizeof name, "%s\"%s\":", comma, KIND_NAMES[i]);
        put_usage(name, &engine[i]);
        comma = ",";
    }
    comma = "";
    put("},\"containers\":{");
    for (int i = 0; i < cgroup_count; i++) {
        if (cgroups[i].container != i) continue;
        snprintf(name, sizeof name, "%s\"%.64s\":", comma, container_id(&cgroups[i]));
        put_usage(name, &cgroups[i].usage);
        comma = ",";
    }
    put("}");
}

/* Write a cgroup's account; false once the cgroup is gone. */
static bool put_account(const char *prefix, struct cgroup *group) {
    if (!read_cgroup(group, "memory.current")) return false;
    long long current = atoll(text);
    group->moved = current != group->current;
    group->current = current;
    put("%s{\"usage\":%lld,\"peak\":%lld,\"oom_kills\":%lld,\"stat\":", prefix, current, group->peak,
        group->oom_kills);
    read_cgroup(group, "memory.stat");
    put_table(CGROUP_FIELDS);
    put("}");
    return true;
}

static void put_accounts(void) {
    const char *comma = "";
    put(",\"accounts\":{");
    for (int i = 0; i < cgroup_count; i++) {
        char prefix[ID_LENGTH + 8];
        snprintf(prefix, sizeof prefix, "%s\"%.64s\":", comma, container_id(&cgroups[i]));
        if (cgroups[i].container == i && put_account(prefix, &cgroups[i])) comma = ",";
    }
    put("},\"engine_accounts\":[");
    comma = "";
    for (int i = 1; i < cgroup_count; i++)
        if (cgroups[i].engine && put_account(comma, &cgroups[i])) comma = ",";
    put("]");
}

static void sample(double period) {
    static double slow_due;
    double started = now();
    bool slow = started >= slow_due;
    if (slow) slow_due = started + SLOW_SECONDS;
    pass++;
    put("{\"time\":%.6f", started);
    put_machine(slow);
    put_oom_kills();
    list_everything(slow);
    put_accounts();
    read_processes(started, period);
    put_processes();
    put(",\"cost\":%.6f}\n", now() - started);
    send_line();
}

/* Keep sampling when memory or time is short: come first, lock the pages in use, stay alive. */
static void protect_itself(void) {
    if (setpriority(PRIO_PROCESS, 0, -20)) perror("agent: priority");
    int adjustment = open("/proc/self/oom_score_adj", O_WRONLY);
    if (adjustment < 0 || write(adjustment, "-1000", 5) < 0) perror("agent: oom_score_adj");
    close(adjustment);
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) perror("agent: mlockall");
}

int main(int count, char **arguments) {
    double period = 0.1, due;
    if (count > 3 || (count > 1 && !set_rate(atof(arguments[1]), &period))) {
        fprintf(stderr, "usage: agent [HZ [CGROUPS]]; HZ from 0.1 to 100\n");
        return 2;
    }
    if (count > 2) root = arguments[2];
    protect_itself();
    for (due = now();; wait_until(due, &period)) {
        sample(period);
        due += period;
        if (due < now()) due = now();
    }
}
