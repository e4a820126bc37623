/*
 * Lists what is at the top of a root: of its own, or of the directory that `list DIRECTORY` names. Stands as the shell in a jail.
 *
 * A line for each: "TOP", the name, the mode with the type (octal), device and inode, what the mount allows (`ro` or `rw`, then
 * `nosuid` and `nodev` where they hold; `-` of what no file can be opened of), and where a link leads to; by tabs.
 */
#include "probe.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

static void say_mount(const char *path)
{
	struct statvfs mount;
	if (statvfs(path, &mount))
		die(path);
	printf("%s%s%s", mount.f_flag & ST_RDONLY ? "ro" : "rw", mount.f_flag & ST_NOSUID ? " nosuid" : "",
	       mount.f_flag & ST_NODEV ? " nodev" : "");
}

int main(int argc, char **argv)
{
	const char *top = argc == 3 && !strcmp(argv[1], "list") ? argv[2] : "/";
	DIR *directory = opendir(top);
	if (!directory)
		die(top);
	for (struct dirent *entry; (entry = readdir(directory));) {
		char path[4096], link[4096] = "";
		struct stat stat;
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof path, "%s/%s", top, entry->d_name);
		if (lstat(path, &stat))
			die(path);
		printf("TOP\t%s\t%o\t%u:%u %lu\t", entry->d_name, stat.st_mode, major(stat.st_dev), minor(stat.st_dev),
		       (unsigned long)stat.st_ino);
		if (S_ISDIR(stat.st_mode) || S_ISREG(stat.st_mode))
			say_mount(path);
		else
			printf("-");
		if (S_ISLNK(stat.st_mode) && readlink(path, link, sizeof link - 1) < 0)
			die(path);
		printf("\t%s\n", link);
	}
	puts("DONE");
	return 0;
}
