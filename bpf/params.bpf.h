/* The interpreter of the table of parameters (struct cap_event). */
#ifndef BURIN_PARAMS_BPF_H
#define BURIN_PARAMS_BPF_H

#include "rare.bpf.h"

enum { O_CREAT = 0100, O_TMPFILE = 020000000 };

INLINE uint64_t map_bits(uint32_t map, uint32_t v)
{
	const uint32_t *m;

	if (map >= CAP_BIT_MAPS)
		return v;
	m = bit_maps[map];
	return m[v & 255] | m[256 + (v >> 8 & 255)] | m[512 + (v >> 16 & 255)] | m[768 + (v >> 24)];
}

INLINE uint64_t map_choice(uint32_t map, uint32_t v)
{
	uint32_t i = v < 256 ? v : 256 | (v & 127) | (v >> 14 & 1) << 7;
	const struct cap_choice_map *m;

	if (map >= CAP_CHOICE_MAPS)
		return v;
	m = &choice_maps[map];
	i &= 511;
	return m->to[i].from == v ? m->to[i].to : m->other;
}

INLINE uint64_t mapped(uint32_t map, uint64_t v)
{
	if (!map)
		return v;
	return map >= CAP_CHOICE ? map_choice(map - CAP_CHOICE, v) : map_bits(map - 1, v);
}

INLINE uint64_t timespec_ns(uint64_t p)
{
	struct {
		uint64_t s, ns;
	} t;

	if (!p || bpf_probe_read_user(&t, sizeof(t), (void *)p))
		return ~0ull;
	return t.s * 1000000000 + t.ns;
}

/* Counter i of a process: 0 file, 1 anonymous, 2 swapped, 3 shared pages. The kernel sums up
 * per-cpu parts only now and then, so it may lag, even below zero. */
INLINE uint64_t rss_count(struct mm_struct *mm, int i)
{
	int64_t n = 0;

	/* An index that is not a constant is not put right by CO-RE: the size of an element is. */
	if (bpf_core_field_exists(mm->rss_stat[0].count))
		bpf_probe_read_kernel(
			&n, 8,
			(char *)__builtin_preserve_access_index(&mm->rss_stat[0].count) +
				i * bpf_core_type_size(struct percpu_counter));
	else
		bpf_probe_read_kernel(&n, 8,
				      (char *)__builtin_preserve_access_index(
					      &((struct mm_struct___old *)mm)->rss_stat.count[0]) +
					      8 * i);
	return n > 0 ? n : 0;
}

INLINE uint32_t vm_kb(struct mm_struct *mm, uint32_t what)
{
	if (!mm)
		return 0;
	switch (what) {
	case 0:
		return BPF_CORE_READ(mm, total_vm) << 2;
	case 1:
		return (rss_count(mm, 0) + rss_count(mm, 1) + rss_count(mm, 3)) << 2;
	default:
		return rss_count(mm, 2) << 2;
	}
}

INLINE uint64_t file_fact(int fd, bool ino)
{
	struct file *f = file_of_fd(fd);

	if (!f)
		return 0;
	return ino ? BPF_CORE_READ(f, f_inode, i_ino)
		   : encode_dev(BPF_CORE_READ(f, f_inode, i_sb, s_dev));
}

INLINE uint64_t open_how(uint64_t p, uint32_t field)
{
	uint64_t flags = user_u64(p, 0);

	if (field == 0)
		return flags;
	if (field == 1)
		return flags & (O_CREAT | O_TMPFILE) ? user_u64(p + 8, 0) : 0;
	return user_u64(p + 16, 0);
}

/* Numbers that are not simply an argument. op: struct cap_op's bytes 0..4. */
__noinline uint64_t value_slow(uint32_t cpu, uint32_t op, uint32_t operands)
{
	struct work *w = work_get(cpu);
	uint32_t a = operands & 255, b = operands >> 8 & 255, c = operands >> 16 & 255;
	struct task_struct *task;
	uint64_t va, vb;

	if (!w)
		return 0;
	va = w->args[a & 7];
	vb = w->args[b & 7];
	switch (op) {
	case CAP_OP_IMM:
		return (int64_t)(int8_t)a;
	case CAP_OP_OMODE:
		return va & (O_CREAT | O_TMPFILE) ? vb : 0;
	case CAP_OP_U32:
		if ((int64_t)w->args[ARG_RET] < 0)
			return -1;
		return (int64_t)(int)user_u32(va + 4 * b, -1);
	case CAP_OP_S64:
		return (int64_t)w->args[ARG_RET] < 0 ? -1 : user_u64(va ? va + 8 * b : 0, -1);
	case CAP_OP_IN64:
		return user_u64(va ? va + 8 * b : 0, -1);
	case CAP_OP_IN32:
		return user_u32(va ? va + 4 * b : 0, 0);
	case CAP_OP_OPT64:
		return user_u64(va, 0);
	case CAP_OP_TIMESPEC:
		return timespec_ns(va);
	case CAP_OP_SIGSET:
		return user_u32(va, 0);
	case CAP_OP_VM:
		task = (struct task_struct *)bpf_get_current_task();
		return vm_kb(BPF_CORE_READ(task, mm), a);
	case CAP_OP_DEV:
		return file_fact(va, false);
	case CAP_OP_INO:
		return file_fact(va, true);
	case CAP_OP_PIPEINO:
		return (int64_t)w->args[ARG_RET] < 0 ? 0 : file_fact(user_u32(va, -1), true);
	case CAP_OP_IOVSIZE:
		return iov_size(va, vb);
	case CAP_OP_MSGSIZE:
		return msg_size(va);
	case CAP_OP_BACKLOG:
		return accept_queue(va, b);
	case CAP_OP_UNIXPTR:
		return (int64_t)w->args[ARG_RET] < 0 ? 0 : unix_pointer(va, b);
	case CAP_OP_SOCKLEVEL:
		return sock_level(va);
	case CAP_OP_SOCKOPT:
		return sock_option(va, vb);
	case CAP_OP_SEMBUF:
		return sem_field(va, vb, c);
	case CAP_OP_SEMVAL:
		return va == 16 ? vb : 0;
	case CAP_OP_QUOTA:
		return quota_field(w, a);
	case CAP_OP_PRCTLINT:
		return prctl_int(w);
	case CAP_OP_CAPS:
		return cap_set(va, b);
	case CAP_OP_HOW:
		return open_how(va, b);
	case CAP_OP_MOUNTFLAGS:
		return (uint32_t)va >> 16 == 0xc0ed ? va & 0xffff : va;
	}
	return 0;
}

INLINE uint64_t value_of(struct work *w, uint32_t cpu, const struct cap_op *d)
{
	uint32_t a = d->a[0];

	if (d->op == CAP_OP_ARG)
		return w->args[a & 7];
	if (d->op == CAP_OP_SARG)
		return (int64_t)(int)w->args[a & 7];
	return value_slow(cpu, d->op, a | d->a[1] << 8 | d->a[2] << 16);
}

/* Stores the low size bytes of v. The bytes behind them are overwritten by what follows, which
 * saves the choice between four kinds of stores. */
INLINE uint32_t put_value(struct work *w, uint32_t off, uint32_t size, uint64_t v)
{
	*(uint64_t *)at(w, off) = v;
	return size;
}

/* Descriptor and direction as put_tuple wants them. */
INLINE uint32_t fd_in(uint64_t fd)
{
	return (uint32_t)fd << 1 | 1;
}

INLINE uint32_t fd_out(uint64_t fd)
{
	return (uint32_t)fd << 1;
}

INLINE uint32_t put_connected(uint32_t cpu, struct work *w, uint32_t off, uint64_t fd, uint64_t p,
			      uint64_t len)
{
	int64_t ret = w->args[ARG_RET];

	/* EINPROGRESS: a connection under way has its tuple already. */
	return ret == 0 || ret == -115 ? put_tuple(cpu, fd_out(fd), off, p, len) : 0;
}

INLINE uint32_t put_bpf_result(struct work *w, uint32_t off)
{
	static const uint64_t fds = 1ull << 0 | 1ull << 5 | 1ull << 7 | 1ull << 13 | 1ull << 14 |
				    1ull << 17 | 1ull << 18 | 1ull << 19 | 1ull << 28 | 1ull << 30 |
				    1ull << 32 | 1ull << 33;
	uint64_t cmd = w->args[0];

	return put_dyn_u64(w, off, cmd < 64 && fds >> cmd & 1 ? 0 : 1, w->args[ARG_RET]);
}

/* Parameters that are not numbers. operands: the four operands of struct cap_op. */
__noinline uint32_t put_slow(uint32_t cpu, uint32_t off, uint32_t op, uint32_t operands)
{
	struct work *w = work_get(cpu);
	uint32_t a = operands & 255;
	uint64_t va, vb, vc, vd, ret, done;
	struct file *f;

	if (!w)
		return 0;
	va = w->args[a & 7];
	vb = w->args[operands >> 8 & 7];
	vc = w->args[operands >> 16 & 7];
	vd = w->args[operands >> 24 & 7];
	ret = w->args[ARG_RET];
	done = (int64_t)ret < 0 ? 0 : ret; /* bytes moved */
	switch (op) {
	case CAP_OP_IOV:
		return put_iov(cpu, off, va, vb, (int64_t)ret < 0 ? ~0ull : ret);
	case CAP_OP_IOVOUT:
		return put_iov(cpu, off, va, vb, done);
	case CAP_OP_MSGIOV:
		return put_msg_iov(cpu, off, va, (int64_t)ret < 0 ? ~0ull : ret);
	case CAP_OP_MSGIOVOUT:
		return put_msg_iov(cpu, off, va, done);
	case CAP_OP_MSGCONTROL:
		return (int64_t)ret < 0 ? 0 : put_msg_control(cpu, off, va);
	case CAP_OP_PATH:
		f = file_of_fd(va);
		return f ? path_of_file(cpu, off, (uint64_t)f) : 0;
	case CAP_OP_POLLED:
		return put_poll(cpu, off, va, vb, 0);
	case CAP_OP_POLLRES:
		return put_poll(cpu, off, va, vb, 1);
	case CAP_OP_SOCKADDR:
		return put_sockaddr(cpu, off, va, vb);
	case CAP_OP_CONNECTED:
		return put_connected(cpu, w, off, va, vb, vc);
	case CAP_OP_ACCEPTED:
		return (int64_t)va < 0 ? 0 : put_tuple(cpu, fd_in(va), off, 0, 0);
	case CAP_OP_SENDTO:
		return put_tuple(cpu, fd_out(va), off, vb, vc);
	case CAP_OP_RECVFROM:
		/* The kernel leaves the caller's address alone for connected streams: length 0. */
		return done ? put_tuple(cpu, fd_in(va), off, vb, user_u32(vc, 0)) : 0;
	case CAP_OP_MSGTO:
		return put_msg_tuple(cpu, fd_out(va), off, vb);
	case CAP_OP_MSGFROM:
		return done ? put_msg_tuple(cpu, fd_in(va), off, vb) : 0;
	case CAP_OP_SOCKIN:
		return put_sockval(w, off, (va & 255) | vb << 8, vc, vd);
	case CAP_OP_SOCKOUT:
		return put_sockval(w, off, (va & 255) | vb << 8, vc, user_u32(vd, 0));
	case CAP_OP_PTRACEADDR:
		return put_dyn_u64(w, off, 0, (int64_t)ret < 0 ? 0 : va);
	case CAP_OP_PTRACEDATA:
		return put_ptrace_data(w, off);
	case CAP_OP_QUOTAPATH:
		return (uint32_t)w->args[0] >> 8 == Q_QUOTAON ? put_text(w, off, w->args[3]) : 0;
	case CAP_OP_PRCTLSTR:
		return put_prctl_str(w, off);
	case CAP_OP_KEYCTL:
		return put_keyctl(w, off, a);
	case CAP_OP_FSVALUE:
		return put_fsvalue(w, off, a);
	case CAP_OP_BPFRES:
		return put_bpf_result(w, off);
	}
	return 0;
}

INLINE uint32_t put_buffer(struct work *w, uint32_t cpu, uint32_t off, const struct cap_op *d)
{
	uint64_t ret = w->args[ARG_RET];
	uint32_t a = d->a[0], b = d->a[1];

	switch (d->op) {
	case CAP_OP_STR:
		return put_text(w, off, w->args[a & 7]);
	case CAP_OP_IN:
		return put_user(w, off, w->args[a & 7], (int64_t)ret < 0 ? w->args[b & 7] : ret);
	case CAP_OP_OUT:
		return (int64_t)ret > 0 ? put_user(w, off, w->args[a & 7], ret) : 0;
	}
	return put_slow(cpu, off, d->op, a | b << 8 | d->a[2] << 16 | d->a[3] << 24);
}

INLINE const struct cap_event *table_event(struct work *w, uint32_t leave)
{
	uint32_t nr = index_of(w->nr, CAP_MAX_CALLS);

	return leave ? &calls[nr].exit : &calls[nr].enter;
}

/* Fills one parameter at off. Returns its length. A function of its own for the verifier: it looks
 * at it once and not once per turn of the loop below. */
__noinline uint32_t put_param(uint32_t cpu, uint32_t off, uint32_t leave, uint32_t i)
{
	struct work *w = work_get(cpu);
	const struct cap_op *d;

	if (!w || i >= CAP_MAX_OPS)
		return 0;
	d = &table_event(w, leave)->op[i];
	if (d->op < CAP_OP_BUFFERS)
		return put_value(w, off, d->size, mapped(d->map, value_of(w, cpu, d)));
	return put_buffer(w, cpu, off, d);
}

/* Fills the parameters of call w->nr from the first-th on. Returns the end of the event. */
__noinline uint32_t fill_table(uint32_t cpu, uint32_t leave, uint32_t off, uint32_t first)
{
	struct work *w = work_get(cpu);
	const struct cap_event *ev;
	uint32_t len;

	if (!w)
		return 0;
	ev = table_event(w, leave);
	for (uint32_t i = 0; i < CAP_MAX_OPS; i++) {
		if (i < first)
			continue;
		if (i >= ev->n)
			break;
		len = put_param(cpu, off, leave, i);
		*(uint16_t *)(w->buf + CAP_HEADER + 2 * i) = len;
		off += len;
	}
	return off;
}

/* Parameters from..to - 1, which are arguments as they are: the short way, which most events of
 * busy programs take. Numbers are stored as 8 bytes: the bytes behind are overwritten by what
 * follows. */
INLINE uint32_t fill_plain(struct work *w, const struct cap_event *ev, uint32_t off, uint32_t from,
			   uint32_t to)
{
	for (uint32_t i = 0; i < CAP_MAX_PLAIN; i++, from++) {
		const struct cap_op *d = &ev->op[from & (CAP_MAX_PLAIN - 1)];
		uint64_t v;

		if (from >= to)
			break;
		v = w->args[d->a[0] & 7];
		if (d->op == CAP_OP_SARG)
			v = (int64_t)(int)v;
		*(uint64_t *)at(w, off) = v;
		off += d->size;
	}
	return off;
}

/* The first n bytes at user address p, behind the plain parameters. By way of the stack: the kernel
 * checks what is copied into the memory of maps by searching for that memory (hardened usercopy),
 * which takes longer than copying twice. */
INLINE uint32_t put_short(struct work *w, uint32_t off, uint64_t p, uint64_t n)
{
	uint64_t t[CAP_SHORT / 8] = {};
	uint64_t len = cut(n, 127);

	if (len > CAP_SHORT || bpf_probe_read_user(t, len, (void *)p))
		return 0;
	for (uint32_t i = 0; i < CAP_SHORT / 8; i++)
		*(uint64_t *)at(w, off + 8 * i) = t[i];
	return len;
}

INLINE uint32_t put_moved(struct work *w, uint32_t off, const struct cap_op *d, bool in)
{
	int64_t ret = w->args[ARG_RET], n = ret;
	uint64_t p = w->args[d->a[0] & 7], len;

	if (ret < 0)
		n = in ? w->args[d->a[1] & 7] : 0;
	if (!n || !config.snaplen)
		return 0;
	len = payload_limit(off, n);
	return len <= CAP_SHORT ? put_short(w, off, p, len) : put_user(w, off, p, len);
}

/* Fills the event of call w->nr. Returns its length, 0 = it cannot be. */
INLINE uint32_t fill_event(struct work *w, uint32_t cpu, const struct cap_event *ev, bool leave)
{
	uint32_t off = CAP_HEADER + 2 * (ev->n & 31), i = ev->nplain, len;

	*(uint64_t *)(w->buf + CAP_HEADER) = *(const uint64_t *)&ev->lens[0];
	*(uint64_t *)(w->buf + CAP_HEADER + 8) = *(const uint64_t *)&ev->lens[4];
	off = fill_plain(w, ev, off, 0, i);
	if (ev->then == CAP_THEN_END)
		return off;
	if (ev->then == CAP_THEN_MORE)
		return fill_table(cpu, leave, off, i);
	len = put_moved(w, off, &ev->op[i & (CAP_MAX_PLAIN - 1)], ev->then == CAP_THEN_IN);
	*(uint16_t *)(w->buf + CAP_HEADER + 2 * (i & (CAP_MAX_PLAIN - 1))) = len;
	return ev->n == i + 1 ? off + len : fill_plain(w, ev, off + len, i + 1, ev->n);
}

#endif
