/* What event types do to the thread they belong to: for digest, apply and binding alike. Pure. */
#include "state/state_priv.h"

static bool is_clone_exit(unsigned type)
{
	switch (type) {
	case EV_SYSCALL_CLONE_11_X:
	case EV_SYSCALL_CLONE_16_X:
	case EV_SYSCALL_CLONE_17_X:
	case EV_SYSCALL_CLONE_20_X:
	case EV_SYSCALL_FORK_X:
	case EV_SYSCALL_FORK_17_X:
	case EV_SYSCALL_FORK_20_X:
	case EV_SYSCALL_VFORK_X:
	case EV_SYSCALL_VFORK_17_X:
	case EV_SYSCALL_VFORK_20_X:
	case EV_SYSCALL_CLONE3_X:
		return true;
	default:
		return false;
	}
}

unsigned type_traits(const struct demand *d, unsigned type)
{
	if (type_flags(d, type) & EF_SKIPPARSERESET)
		return TT_THREAD; /* belongs to its thread, leaves no trace in it */
	switch (type) {
	case EV_CONTAINER_JSON_E:
	case EV_CONTAINER_JSON_2_E:
	case EV_USER_ADDED_E:
	case EV_USER_DELETED_E:
	case EV_GROUP_ADDED_E:
	case EV_GROUP_DELETED_E:
	case EV_ASYNCEVENT_E:
	case EV_PLUGINEVENT_E:
		return 0;
	case EV_SCHEDSWITCH_6_E:
		return TT_THREAD; /* comes between a call's enter and exit */
	default:
		break;
	}
	if (event_table[type].category & EC_ITER)
		return 0;
	if (!(type & 1))
		return TT_THREAD | TT_RESET | TT_TOUCH;
	return TT_THREAD | TT_EXIT | (is_clone_exit(type) ? TT_CLONE : TT_TOUCH);
}

bool type_may_be_stored(unsigned enter_type)
{
	switch (enter_type) {
	case EV_SYSCALL_OPEN_E:
	case EV_SYSCALL_CREAT_E:
	case EV_SYSCALL_OPENAT_E:
	case EV_SYSCALL_OPENAT_2_E:
	case EV_SYSCALL_OPENAT2_E:
	case EV_SOCKET_SOCKET_E:
	case EV_SYSCALL_EVENTFD_E:
	case EV_SYSCALL_CHDIR_E:
	case EV_SYSCALL_FCHDIR_E:
	case EV_SOCKET_SHUTDOWN_E:
	case EV_SYSCALL_GETRLIMIT_E:
	case EV_SYSCALL_SETRLIMIT_E:
	case EV_SYSCALL_PRLIMIT_E:
	case EV_SOCKET_SENDTO_E:
	case EV_SOCKET_SENDMSG_E:
	case EV_SYSCALL_SENDFILE_E:
	case EV_SYSCALL_SETRESUID_E:
	case EV_SYSCALL_SETRESGID_E:
	case EV_SYSCALL_SETUID_E:
	case EV_SYSCALL_SETGID_E:
	case EV_SYSCALL_EXECVE_18_E:
	case EV_SYSCALL_EXECVE_19_E:
	case EV_SYSCALL_EXECVEAT_E:
	case EV_SYSCALL_SETPGID_E:
	/* Beyond 0.29.3's list: what the exits of newer tables repeat and older exits lack. */
	case EV_SOCKET_CONNECT_E:
	case EV_SYSCALL_SETNS_E:
	case EV_SYSCALL_UNSHARE_E:
	case EV_SYSCALL_FCNTL_E:
		return true; /* with some commands */
	default:
		return false;
	}
}

bool type_stored(struct event *enter)
{
	int64_t cmd;

	if (enter->type != EV_SYSCALL_FCNTL_E)
		return type_may_be_stored(enter->type);
	return event_param_i64(enter, 1, &cmd) &&
	       (cmd == FCNTL_F_DUPFD || cmd == FCNTL_F_DUPFD_CLOEXEC);
}
