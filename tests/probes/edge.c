/* Calls the entry points of pam_jail.so the way no libpam does: without a handle, with arguments that are not there. */
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef int stage(void *handle, int flags, int argc, const char **argv);

static int in_child(stage *call, void *handle, int flags, int argc, const char **argv)
{
	fflush(stdout);
	pid_t child = fork();
	int status = 0;
	if (child == 0)
		_exit(call(handle, flags, argc, argv));
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int argc, char **argv)
{
	static const char *none[] = { NULL, NULL };
	static const char *names[] = { "pam_sm_acct_mgmt", "pam_sm_open_session", "pam_sm_close_session" };
	void *module = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	if (!module)
		return puts(dlerror()), 1;
	for (int i = 0; i < 3; i++) {
		stage *call = (stage *)dlsym(module, names[i]);
		printf("%s %d %d %d %d\n", names[i], in_child(call, NULL, 0, 0, NULL), in_child(call, NULL, -1, -1, NULL),
		       in_child(call, NULL, 0, 2, NULL), in_child(call, NULL, 0x7fffffff, 2, none));
	}
	return 0;
}
