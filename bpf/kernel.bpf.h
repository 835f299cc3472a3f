/* Kernel types, as far as the programs look at them. Offsets and sizes are put right when the
 * programs are loaded (CO-RE), so no kernel headers are needed to build. A name with three
 * underscores is another shape of the same type: which one the running kernel has is asked with
 * bpf_core_*_exists. */
#ifndef BURIN_KERNEL_BPF_H
#define BURIN_KERNEL_BPF_H

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#if defined(__TARGET_ARCH_arm64)
struct pt_regs {
	unsigned long regs[31];
	unsigned long pc;
	unsigned long orig_x0;
	int syscallno;
};
#else
struct pt_regs {
	unsigned long r10, r9, r8, ax, dx, si, di, orig_ax, ip;
	unsigned long bx, cx, bp; /* arguments of 32-bit calls */
};
#endif

struct list_head {
	struct list_head *next, *prev;
};
struct qstr {
	unsigned int len;
	const unsigned char *name;
};
struct super_block {
	unsigned int s_dev;
	unsigned long s_flags;
};
struct timespec64 {
	long long tv_sec;
	long tv_nsec;
};
typedef struct {
	unsigned int val;
} kuid_t;
typedef struct {
	unsigned int val;
} kgid_t;
struct inode {
	unsigned short i_mode;
	kuid_t i_uid;
	kgid_t i_gid;
	struct super_block *i_sb;
	unsigned long i_ino;
	long long i_ctime_sec, i_mtime_sec;
	unsigned int i_ctime_nsec, i_mtime_nsec;
};
struct inode___old {
	struct timespec64 i_ctime, i_mtime;
};
struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};
struct vfsmount {
	struct dentry *mnt_root;
};
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};
struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};
struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};
struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};
struct files_struct {
	struct fdtable *fdt;
};

struct percpu_counter {
	long long count;
};
typedef struct {
	long counter;
} atomic_long_t;
struct mm_rss_stat {
	atomic_long_t count[4];
};
struct mm_struct {
	unsigned long total_vm;
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file *exe_file;
	struct percpu_counter rss_stat[4];
};
struct mm_struct___old {
	struct mm_rss_stat rss_stat;
};

struct pid_namespace;
struct upid {
	int nr;
	struct pid_namespace *ns;
};
struct pid {
	unsigned int level;
	struct upid numbers[1];
};
struct rlimit {
	unsigned long rlim_cur, rlim_max;
};
struct tty_driver {
	int major, minor_start;
};
struct tty_struct {
	int index;
	struct tty_driver *driver;
};
struct signal_struct {
	struct pid *pids[4];
	struct tty_struct *tty;
	struct rlimit rlim[16];
};
typedef struct {
	unsigned long long val;
} kernel_cap_t;
struct cred {
	kuid_t uid, euid, suid, fsuid;
	kgid_t gid, egid, fsgid;
	kernel_cap_t cap_inheritable, cap_permitted, cap_effective;
};

struct kernfs_node {
	struct kernfs_node *__parent;
	const char *name;
	unsigned long long id;
};
struct kernfs_node___old {
	struct kernfs_node *parent;
};
struct cgroup {
	int level;
	struct kernfs_node *kn;
	struct cgroup *ancestors[1];
};
struct cgroup___old {
	unsigned long long ancestor_ids[1];
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
};
struct css_set {
	struct cgroup_subsys_state *subsys[5];
	struct cgroup *dfl_cgrp;
};
enum cgroup_subsys_id {
	cpuset_cgrp_id,
	cpu_cgrp_id,
	cpuacct_cgrp_id,
	io_cgrp_id,
	memory_cgrp_id,
};

struct sched_entity {
	unsigned long long sum_exec_runtime;
};
struct nsproxy {
	struct pid_namespace *pid_ns_for_children;
};
struct thread_info {
	unsigned int status;
};
struct task_struct {
	struct thread_info thread_info;
	int pid, tgid;
	int exit_code;
	unsigned int flags;
	struct task_struct *real_parent, *group_leader;
	struct pid *thread_pid;
	unsigned long min_flt, maj_flt;
	unsigned long long utime, stime;
	struct sched_entity se;
	unsigned long long start_boottime;
	const struct cred *cred;
	char comm[16];
	struct mm_struct *mm;
	struct files_struct *files;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct nsproxy *nsproxy;
	kuid_t loginuid;
};
struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};
struct kernel_siginfo {
	int si_signo, si_errno, si_code;
};

/* sockets */
struct sock_common {
	unsigned int skc_daddr, skc_rcv_saddr;
	unsigned short skc_dport, skc_num;
	unsigned short skc_family;
	struct {
		unsigned char b[16];
	} skc_v6_daddr, skc_v6_rcv_saddr;
};
struct sock {
	struct sock_common __sk_common;
	unsigned int sk_ack_backlog, sk_max_ack_backlog;
};
struct socket {
	struct sock *sk;
};
struct inet_sock {
	unsigned int inet_saddr;
	unsigned short inet_sport;
};
struct sockaddr_un {
	unsigned short sun_family;
};
struct unix_address {
	int len;
	struct sockaddr_un name[1];
};
struct unix_sock {
	struct unix_address *addr;
	struct sock *peer;
};

#pragma clang attribute pop

#endif
