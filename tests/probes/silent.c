/* A process of a user's on a file system that never answers, as a user can serve one by FUSE.
 *
 *   silent DIRECTORY UID:GID root           its root directory is there
 *   silent DIRECTORY UID:GID arguments ...  so is what the kernel takes for its arguments; its root is DIRECTORY/..
 *
 * Started by root, with the device /dev/fuse. It serves the file system from a child of root's, which answers only what the
 * other needs to come there. The other sets no_new_privs, takes the uid, prints a line and waits. */
#include "probe.h"

#include <linux/fuse.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define FILE_NODE 2
#define PAGE 4096UL

static void answer(int device, uint64_t unique, int error, const void *body, size_t length)
{
	char buffer[4096];
	struct fuse_out_header header = {
		.len = sizeof header + length, .error = error, .unique = unique,
	};
	memcpy(buffer, &header, sizeof header);
	memcpy(buffer + sizeof header, body, length);
	if (write(device, buffer, header.len) < 0)
		perror("answer");
}

static void serve(int device)
{
	static char buffer[1 << 18];
	for (;;) {
		ssize_t length = read(device, buffer, sizeof buffer);
		if (length < (ssize_t)sizeof(struct fuse_in_header))
			exit(0);
		struct fuse_in_header *in = (void *)buffer;
		struct fuse_init_out init = {
			.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096,
		};
		struct fuse_entry_out entry = {
			.nodeid = FILE_NODE, .entry_valid = 3600, .attr_valid = 3600,
			.attr = { .ino = FILE_NODE, .mode = S_IFREG | 0644, .nlink = 1, .size = 4 * PAGE },
		};
		struct fuse_open_out opened = { 0 };
		switch (in->opcode) {
		case FUSE_INIT: answer(device, in->unique, 0, &init, sizeof init); break;
		case FUSE_FLUSH: /* Or nobody could end who has it open. */
		case FUSE_ACCESS: answer(device, in->unique, -ENOSYS, NULL, 0); break;
		case FUSE_LOOKUP: answer(device, in->unique, 0, &entry, sizeof entry); break;
		case FUSE_OPEN: answer(device, in->unique, 0, &opened, sizeof opened); break;
		default: break; /* Never: GETATTR, READ, ... */
		}
	}
}

/* Puts a page of the file in place of one that the arguments are in: they are longer than two. */
static void cover(char *arguments, int file)
{
	char *page = (char *)(((uintptr_t)arguments | (PAGE - 1)) + 1);
	if (mmap(page, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == MAP_FAILED)
		die("mmap");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	const char *directory = argv[1];
	int covers = !strcmp(argv[3], "arguments");
	struct account account = account_of(argv[2]);
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC), file = -1;
	if (device < 0)
		die("/dev/fuse");
	char options[128], name[256];
	snprintf(options, sizeof options, "fd=%d,rootmode=40755,user_id=%d,group_id=0,allow_other", device, (int)account.uid);
	if (mount("silent", directory, "fuse", MS_NOSUID | MS_NODEV, options))
		die("mount");
	if (fork() == 0)
		serve(device);
	close(device);
	snprintf(name, sizeof name, "%s/file", directory);
	if (covers && (file = open(name, O_RDONLY)) < 0)
		die(name);
	if (chdir(directory) || chroot(covers ? ".." : "."))
		die("chroot");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		die("no_new_privs");
	become(&account);
	if (covers)
		cover(argv[0], file);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}
