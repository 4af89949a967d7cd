/* Takes memory of one kind and goes on using it: eat KIND MB [FILE_MB or PROCESSES]
 *
 *   big        one map
 *   heap       small blocks, a part of which is freed and taken anew all the time
 *   tmpfs      a file in /data
 *   cache      one map, and a file of FILE_MB that is read again and again
 *   processes  that many processes with an equal part each
 *   ready      exits with 0 once the memory is taken
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MB (1024L * 1024)
#define READY "/ready"

static char page[4096]; /* what memory is filled with */
static char block[MB];

/* A third is random: of the heaps of Python programs zstd leaves 28 to 45 %, page by page. */
static void make_page(void) {
    unsigned long number = 88172645463325252;
    memset(page, 'x', sizeof page);
    for (unsigned at = 0; at < sizeof page / 3; at++) {
        number ^= number << 13, number ^= number >> 7, number ^= number << 17;
        page[at] = number;
    }
}

static void fill(char *map, long bytes) {
    for (long at = 0; at < bytes; at += sizeof page)
        memcpy(map + at, page, bytes - at < (long)sizeof page ? bytes - at : (long)sizeof page);
}

static void rest(long milliseconds) { usleep(milliseconds * 1000); }

static void ready(void) { close(open(READY, O_CREAT | O_WRONLY, 0644)); }

static char *take(long bytes) {
    char *map = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) exit(2);
    for (long at = 0; at < bytes; at += MB) {
        fill(map + at, bytes - at < MB ? bytes - at : MB);
        rest(1);
    }
    return map;
}

static void use(char *map, long bytes) {
    for (;; rest(500))
        for (long at = 0; at < bytes; at += 100 * 4096) map[at]++;
}

static void write_file(const char *path, long bytes) {
    int file = open(path, O_CREAT | O_WRONLY, 0644);
    fill(block, MB);
    for (long at = 0; at < bytes; at += MB) {
        long size = bytes - at < MB ? bytes - at : MB;
        if (write(file, block, size) != size) exit(3);
        rest(1);
    }
    fsync(file);
    close(file);
}

static void heap(long bytes) {
    long count = bytes / 2048, size = 2048 - 16; /* with malloc's own header */
    char **blocks = malloc(count * sizeof *blocks);
    for (long i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        if (!blocks[i]) exit(2);
        memcpy(blocks[i], page + i % 2 * 2048, size);
        if (i % 512 == 0) rest(1);
    }
    ready();
    for (long i = 0;; i = (i + 1) % (count / 50)) {
        free(blocks[i * 50]);
        blocks[i * 50] = memcpy(malloc(size), page, size);
        if (i % 100 == 0) rest(5);
    }
}

static void cache(long bytes, long file_bytes) {
    char *map = take(bytes);
    write_file("/file", file_bytes);
    ready();
    int file = open("/file", O_RDONLY);
    for (long round = 0;; round++) {
        if (read(file, block, MB) <= 0) lseek(file, 0, SEEK_SET);
        map[round * 4096 % bytes]++;
        rest(5);
    }
}

static void processes(long bytes, int count) {
    for (int i = 1; i < count; i++)
        if (fork() == 0) use(take(bytes / count), bytes / count);
    char *map = take(bytes / count);
    rest(2000);
    ready();
    use(map, bytes / count);
}

int main(int argc, char **argv) {
    const char *kind = argc > 1 ? argv[1] : "";
    long bytes = argc > 2 ? (long)(atof(argv[2]) * MB) : 0, more = argc > 3 ? atol(argv[3]) : 0;
    if (!strcmp(kind, "ready")) return access(READY, F_OK) != 0;
    if (bytes < MB) return 64;
    make_page();
    if (!strcmp(kind, "heap")) heap(bytes);
    if (!strcmp(kind, "cache")) cache(bytes, more * MB);
    if (!strcmp(kind, "processes")) processes(bytes, more ? more : 1);
    if (!strcmp(kind, "tmpfs")) write_file("/data/file", bytes);
    char *map = !strcmp(kind, "big") ? take(bytes) : 0;
    ready();
    if (map) use(map, bytes);
    for (;;) pause();
}
