/* Makes two logins by one program, the second while the first one stays.
 *
 *   pair PATH ARGV0 [ARG…]
 *
 * With an @ before ARGV0 the second leads a session that has a terminal as standard input, like sshd's child.
 * The first is `PATH jail-shell -c stay`, which report answers. The second is what the arguments say; this program ends as that
 * ends, and has said before on standard output what became of the first: `FIRST=stayed`, or `FIRST=gone`. */
#include "probe.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#define PATIENCE_MS 60000

static int to, from;

static int hears(const char *word)
{
	char said[16] = "";
	size_t length = strlen(word);
	for (size_t got = 0; got < length;) {
		struct pollfd poll_of = { from, POLLIN, 0 };
		if (poll(&poll_of, 1, PATIENCE_MS) != 1)
			return 0;
		ssize_t n = read(from, said + got, length - got);
		if (n <= 0)
			return 0;
		got += n;
	}
	return !memcmp(said, word, length);
}

int main(int argc, char **argv)
{
	int there[2], back[2], status, first_status;
	if (argc < 3)
		errno = EINVAL, die("usage");
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(there, O_CLOEXEC) || pipe2(back, O_CLOEXEC))
		die("pipe2");
	pid_t first = fork();
	if (first < 0)
		die("fork");
	if (!first) {
		if (dup2(there[0], 0) < 0 || dup2(back[1], 1) < 0)
			die("dup2");
		signal(SIGPIPE, SIG_DFL);
		execl(argv[1], "jail-shell", "-c", "stay", NULL);
		die(argv[1]);
	}
	close(there[0]);
	close(back[1]);
	to = there[1];
	from = back[0];
	if (!hears("STAYS\n"))
		die("the first login");
	int unlocked = 0, leads = *argv[2] == '@', master = -1;
	if (leads) {
		argv[2]++;
		master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked))
			die("/dev/ptmx");
	}
	pid_t second = fork();
	if (second < 0)
		die("fork");
	if (!second) {
		if (leads) {
			int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
			if (slave < 0 || setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) || dup2(slave, 0) < 0)
				die("the terminal");
		}
		signal(SIGPIPE, SIG_DFL);
		execv(argv[1], argv + 2);
		die(argv[1]);
	}
	if (waitpid(second, &status, 0) != second)
		die("waitpid");
	int stays = write(to, "?", 1) == 1 && hears("HERE\n");
	close(to);
	if (waitpid(first, &first_status, 0) != first)
		die("waitpid");
	if (dprintf(1, "FIRST=%s\n", stays && !first_status ? "stayed" : "gone") < 0)
		die("standard output");
	if (WIFSIGNALED(status)) {
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
	}
	return WEXITSTATUS(status);
}
