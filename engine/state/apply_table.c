/* Which event types change state, in which mode, and for whom. */
#include "state/state_int.h"

#define T DEMAND_THREADS
#define F DEMAND_FDS

/* What 0.29.3 does too. */
#define ROWS_COMMON \
	[EV_SYSCALL_OPEN_X] = {apply_open, F, ROW_OK, 0}, \
	[EV_SYSCALL_CREAT_X] = {apply_open, F, ROW_OK, 0}, \
	[EV_SYSCALL_OPENAT_X] = {apply_open, F, ROW_OK, 0}, \
	[EV_SYSCALL_OPENAT_2_X] = {apply_open, F, ROW_OK, 0}, \
	[EV_SYSCALL_OPENAT2_X] = {apply_open, F, ROW_OK, 0}, \
	[EV_SYSCALL_CLOSE_X] = {apply_close, F, ROW_OK, 0}, \
	[EV_SYSCALL_DUP_X] = {apply_dup, F, ROW_OK, 0}, \
	[EV_SYSCALL_FCNTL_X] = {apply_dup, F, ROW_OK, 0}, \
	[EV_SYSCALL_PIPE_X] = {apply_pipe, F, ROW_OK, 0}, \
	[EV_SYSCALL_EVENTFD_X] = {apply_anon_fd, F, ROW_OK, 0}, \
	[EV_SYSCALL_SIGNALFD_X] = {apply_anon_fd, F, ROW_OK, 0}, \
	[EV_SYSCALL_TIMERFD_CREATE_X] = {apply_anon_fd, F, ROW_OK, 0}, \
	[EV_SYSCALL_INOTIFY_INIT_X] = {apply_anon_fd, F, ROW_OK, 0}, \
	[EV_SOCKET_SOCKET_X] = {apply_socket, F, ROW_OK, 0}, \
	[EV_SOCKET_SOCKETPAIR_X] = {apply_socket, F, ROW_OK, 0}, \
	[EV_SOCKET_BIND_X] = {apply_bind, F, ROW_OK, 0}, \
	[EV_SOCKET_CONNECT_X] = {apply_connect, F, ROW_ALWAYS, 0}, \
	[EV_SOCKET_ACCEPT_X] = {apply_accept, F, ROW_OK, 0}, \
	[EV_SOCKET_ACCEPT4_X] = {apply_accept, F, ROW_OK, 0}, \
	[EV_SOCKET_ACCEPT_5_X] = {apply_accept, F, ROW_OK, 0}, \
	[EV_SOCKET_ACCEPT4_5_X] = {apply_accept, F, ROW_OK, 0}, \
	[EV_SOCKET_SENDTO_X] = {apply_transfer, F, ROW_OK, 0}, \
	[EV_SOCKET_SENDMSG_X] = {apply_transfer, F, ROW_OK, 0}, \
	[EV_SOCKET_RECVFROM_X] = {apply_transfer, F, ROW_ADDR, 2}, \
	[EV_SOCKET_RECVMSG_X] = {apply_transfer, F, ROW_ADDR, 3}, \
	[EV_SYSCALL_READ_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_WRITE_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SOCKET_SEND_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SOCKET_RECV_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_PREAD_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_PWRITE_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_READV_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_WRITEV_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_PREADV_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_PWRITEV_X] = {apply_data, DEMAND_CONNECTED, ROW_OK, 0}, \
	[EV_SYSCALL_CLONE_11_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_CLONE_16_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_CLONE_17_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_CLONE_20_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_CLONE3_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_FORK_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_FORK_17_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_FORK_20_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_VFORK_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_VFORK_17_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_VFORK_20_X] = {apply_clone_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_8_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_13_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_14_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_15_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_16_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_17_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_18_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVE_19_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_SYSCALL_EXECVEAT_X] = {apply_execve_exit, T, ROW_OK, 0}, \
	[EV_PROCEXIT_E] = {apply_procexit, T | DEMAND_PAIRS, ROW_ALWAYS, 0}, \
	[EV_PROCEXIT_1_E] = {apply_procexit, T | DEMAND_PAIRS, ROW_ALWAYS, 0}, \
	[EV_SYSCALL_CHDIR_X] = {apply_chdir, T, ROW_OK, 0}, \
	[EV_SYSCALL_FCHDIR_X] = {apply_chdir, T, ROW_OK, 0}, \
	[EV_SYSCALL_GETCWD_X] = {apply_chdir, T, ROW_OK, 0}, \
	[EV_SYSCALL_CHROOT_X] = {apply_chdir, T, ROW_OK, 0}, \
	[EV_SYSCALL_SETSID_X] = {apply_ids, T, ROW_OK, 0}, \
	[EV_SYSCALL_SETUID_X] = {apply_ids, T, ROW_OK, 0}, \
	[EV_SYSCALL_SETGID_X] = {apply_ids, T, ROW_OK, 0}, \
	[EV_SYSCALL_SETRESUID_X] = {apply_ids, T, ROW_OK, 0}, \
	[EV_SYSCALL_SETRESGID_X] = {apply_ids, T, ROW_OK, 0}, \
	[EV_SYSCALL_GETRLIMIT_X] = {apply_rlimit, T, ROW_OK, 0}, \
	[EV_SYSCALL_SETRLIMIT_X] = {apply_rlimit, T, ROW_OK, 0}, \
	[EV_SYSCALL_PRLIMIT_X] = {apply_rlimit, T, ROW_OK, 0}, \
	[EV_SYSCALL_BRK_4_X] = {apply_volatile, DEMAND_VOLATILE, ROW_ALWAYS, 0}, \
	[EV_SYSCALL_MMAP_X] = {apply_volatile, DEMAND_VOLATILE, ROW_ALWAYS, 0}, \
	[EV_SYSCALL_MMAP2_X] = {apply_volatile, DEMAND_VOLATILE, ROW_ALWAYS, 0}, \
	[EV_SYSCALL_MUNMAP_X] = {apply_volatile, DEMAND_VOLATILE, ROW_ALWAYS, 0}, \
	[EV_SCHEDSWITCH_6_E] = {apply_volatile, DEMAND_VOLATILE | DEMAND_CPU, ROW_ALWAYS, 0}, \
	[EV_PROCINFO_E] = {apply_procinfo, DEMAND_CPU, ROW_ALWAYS, 0}, \
	[EV_CONTAINER_E] = {apply_container, DEMAND_CONTAINERS, ROW_ALWAYS, 0}, \
	[EV_CONTAINER_JSON_E] = {apply_container, DEMAND_CONTAINERS, ROW_ALWAYS, 0}, \
	[EV_CONTAINER_JSON_2_E] = {apply_container, DEMAND_CONTAINERS, ROW_ALWAYS, 0}

static const struct apply_entry table_029[EV_CODE_COUNT] = {
	ROWS_COMMON,
	/* The address of the enter event shows at once, and an unknown descriptor of sendto is taken for a socket. */
	[EV_SOCKET_CONNECT_E] = {apply_connect, F, ROW_ALWAYS, 0},
	[EV_SOCKET_SENDTO_E] = {apply_transfer, F, ROW_ALWAYS, 0},
};

static const struct apply_entry table_new[EV_CODE_COUNT] = {
	ROWS_COMMON,
	[EV_SOCKET_CONNECT_E] = {apply_connect, F, ROW_ALWAYS, 0},
	[EV_SOCKET_SENDTO_E] = {apply_transfer, F, ROW_ALWAYS, 0},
	[EV_SOCKET_SENDMMSG_X] = {apply_transfer, F, ROW_OK, 0},
	[EV_SOCKET_RECVMMSG_X] = {apply_transfer, F, ROW_OK, 0},
	[EV_SYSCALL_OPEN_BY_HANDLE_AT_X] = {apply_open, F, ROW_OK, 0},
	[EV_SYSCALL_CLOSE_RANGE_X] = {apply_close, F, ROW_OK, 0},
	[EV_SYSCALL_DUP_1_X] = {apply_dup, F, ROW_OK, 0},
	[EV_SYSCALL_DUP2_X] = {apply_dup, F, ROW_OK, 0},
	[EV_SYSCALL_DUP3_X] = {apply_dup, F, ROW_OK, 0},
	[EV_SYSCALL_PIPE2_X] = {apply_pipe, F, ROW_OK, 0},
	[EV_SYSCALL_EVENTFD2_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_SIGNALFD4_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_INOTIFY_INIT1_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_EPOLL_CREATE_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_EPOLL_CREATE1_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_BPF_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_BPF_2_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_USERFAULTFD_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_IO_URING_SETUP_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_MEMFD_CREATE_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_PIDFD_OPEN_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SYSCALL_PIDFD_GETFD_X] = {apply_anon_fd, F, ROW_OK, 0},
	[EV_SOCKET_ACCEPT4_6_X] = {apply_accept, F, ROW_OK, 0},
	[EV_SYSCALL_SETREUID_X] = {apply_ids, T, ROW_OK, 0},
	[EV_SYSCALL_SETREGID_X] = {apply_ids, T, ROW_OK, 0},
	[EV_SYSCALL_CAPSET_X] = {apply_ids, T, ROW_OK, 0},
	[EV_SYSCALL_UNSHARE_X] = {apply_ids, T, ROW_OK, 0},
	[EV_SYSCALL_SETNS_X] = {apply_ids, T, ROW_OK, 0},
	[EV_SYSCALL_PRCTL_X] = {apply_ids, T, ROW_OK, 0},
	[EV_USER_ADDED_E] = {apply_user_event, DEMAND_USERS, ROW_ALWAYS, 0},
	[EV_USER_DELETED_E] = {apply_user_event, DEMAND_USERS, ROW_ALWAYS, 0},
	[EV_GROUP_ADDED_E] = {apply_user_event, DEMAND_USERS, ROW_ALWAYS, 0},
	[EV_GROUP_DELETED_E] = {apply_user_event, DEMAND_USERS, ROW_ALWAYS, 0},
};

const struct apply_entry *apply_table(bool compat029)
{
	return compat029 ? table_029 : table_new;
}
