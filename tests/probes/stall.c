/*
 * Serves a file system (FUSE) that never answers, once it is mounted.
 *
 * stall DIRECTORY UID [open]: mounts it there, as served by this user, for everybody (allow_other). Prints "serving" when it is
 * there. Ends with its standard input. Every request is read and none answered, which is what the kernel can't give up.
 * With `open`, files are found and opened, and nothing more is answered.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void answer(int fuse, const struct fuse_in_header *in, int error, const void *body, size_t size)
{
    char reply[sizeof(struct fuse_out_header) + sizeof(struct fuse_entry_out)];
    struct fuse_out_header header = {.len = sizeof header + size, .error = -error, .unique = in->unique};
    memcpy(reply, &header, sizeof header);
    if (body)
        memcpy(reply + sizeof header, body, size);
    if (write(fuse, reply, header.len) < 0)
        perror("answer");
}

static void find_and_open(int fuse, const struct fuse_in_header *in)
{
    struct fuse_entry_out found = {.nodeid = 2, .attr = {.ino = 2, .mode = 0100666, .nlink = 1}};
    struct fuse_open_out opened = {.fh = 1};
    if (in->opcode == FUSE_LOOKUP)
        answer(fuse, in, 0, &found, sizeof found);
    if (in->opcode == FUSE_OPEN)
        answer(fuse, in, 0, &opened, sizeof opened);
    /* A shell closes a copy; the runtime of Rust polls the standard descriptors before main. */
    if (in->opcode == FUSE_FLUSH || in->opcode == FUSE_POLL)
        answer(fuse, in, ENOSYS, NULL, 0);
}

int main(int argc, char **argv)
{
    static char request[1 << 20];
    if (argc != 3 && argc != 4) {
        fputs("usage: stall DIRECTORY UID [open]\n", stderr);
        return 2;
    }
    int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fuse < 0) {
        perror("/dev/fuse");
        return 77;
    }
    char options[128];
    snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=%s,group_id=0,allow_other", fuse, argv[2]);
    if (mount("stall", argv[1], "fuse.stall", MS_NOSUID | MS_NODEV, options) != 0) {
        perror("mount");
        return 1;
    }
    struct fuse_in_header *in = (void *)request;
    if (read(fuse, request, sizeof request) < 0 || in->opcode != FUSE_INIT) {
        perror("first request");
        return 1;
    }
    struct {
        struct fuse_out_header header;
        struct fuse_init_out init;
    } out;
    memset(&out, 0, sizeof out);
    out.header.len = sizeof out;
    out.header.unique = in->unique;
    out.init.major = FUSE_KERNEL_VERSION;
    out.init.minor = FUSE_KERNEL_MINOR_VERSION;
    out.init.max_write = 4096;
    if (write(fuse, &out, sizeof out) != sizeof out) {
        perror("answer");
        return 1;
    }
    puts("serving");
    fflush(stdout);
    for (;;) {
        struct pollfd fds[2] = {{.fd = fuse, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (fds[1].revents != 0)
            return 0;
        if (fds[0].revents & POLLIN && read(fuse, request, sizeof request) < 0 && errno == ENODEV)
            return 0;
        else if (fds[0].revents & POLLIN && argc == 4)
            find_and_open(fuse, in);
        if (fds[0].revents & (POLLERR | POLLHUP))
            return 0;
    }
}
