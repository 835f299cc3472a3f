/* Texts built from chains of names: paths of files and of cgroups. They are built from the end, in
 * the upper half of the temporary area, and are cut at the front when they are too long. */
#ifndef BURIN_PATH_BPF_H
#define BURIN_PATH_BPF_H

#include "work.bpf.h"

enum { PATH_DEPTH = 48 };

enum { PATH_END = 2 * TMP_SIZE - 512, POS_MASK = 2 * TMP_SIZE - 1, NAME_MASK = 255 };

/* Puts "/" and the name of len bytes that lies at tmp[0] before the text that begins at tmp[pos].
 * Returns the new begin, or pos if there is no room. */
__noinline uint32_t prepend(uint32_t cpu, uint32_t pos, uint32_t len)
{
	struct work *w = work_get(cpu);
	uint64_t to;

	len &= NAME_MASK;
	if (!w || pos > PATH_END || pos < TMP_SIZE + 256)
		return pos;
	to = cut(pos - len, POS_MASK);
	if (to > PATH_END)
		return pos;
	bpf_probe_read_kernel(w->tmp + to, len, w->tmp);
	to = cut(to - 1, POS_MASK);
	w->tmp[to] = '/';
	return to;
}

/* The text that begins at tmp[pos], with its NUL, to buf at off. */
INLINE uint32_t path_out(struct work *w, uint32_t off, uint32_t pos)
{
	long n;

	if (pos >= PATH_END) {
		pos = PATH_END - 1;
		w->tmp[pos] = '/';
	}
	w->tmp[PATH_END] = 0;
	n = bpf_probe_read_kernel_str(at(w, off), CAP_TEXT_MAX, w->tmp + (pos & POS_MASK));
	return n > 0 ? n : 0;
}

INLINE struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return (struct kernfs_node *)BPF_CORE_READ((struct kernfs_node___old *)kn, parent);
}

/* One step of path_of_kernfs. */
__noinline uint32_t kernfs_name(uint32_t cpu, uint64_t node, uint32_t pos)
{
	struct work *w = work_get(cpu);
	long n;

	if (!w)
		return pos;
	n = bpf_probe_read_kernel_str(w->tmp, NAME_MASK + 1,
				      BPF_CORE_READ((struct kernfs_node *)node, name));
	return n > 0 ? prepend(cpu, pos, n - 1) : pos;
}

/* Writes the path of a cgroup with its NUL to buf at off. Returns its length. */
__noinline uint32_t path_of_kernfs(uint32_t cpu, uint32_t off, uint64_t node)
{
	struct work *w = work_get(cpu);
	struct kernfs_node *kn = (struct kernfs_node *)node, *parent;
	uint32_t pos = PATH_END;

	if (!w)
		return 0;
	for (int i = 0; i < PATH_DEPTH && kn; i++) {
		parent = kernfs_parent(kn);
		if (!parent)
			break;
		pos = kernfs_name(cpu, (uint64_t)kn, pos);
		kn = parent;
	}
	return path_out(w, off, pos);
}

__noinline uint32_t dentry_name(uint32_t cpu, uint64_t dentry, uint32_t pos)
{
	struct work *w = work_get(cpu);
	struct dentry *d = (struct dentry *)dentry;
	uint32_t len = BPF_CORE_READ(d, d_name.len);

	if (len > NAME_MASK)
		len = NAME_MASK;
	if (!w || bpf_probe_read_kernel(w->tmp, len, BPF_CORE_READ(d, d_name.name)))
		return pos;
	return prepend(cpu, pos, len);
}

/* Writes the path of a file (struct file) with its NUL, as seen from the root of all mounts. */
__noinline uint32_t path_of_file(uint32_t cpu, uint32_t off, uint64_t file)
{
	struct work *w = work_get(cpu);
	struct file *f = (struct file *)file;
	struct dentry *d = BPF_CORE_READ(f, f_path.dentry), *up;
	struct mount *mnt, *above;
	uint32_t pos = PATH_END;

	if (!w)
		return 0;
	mnt = (struct mount *)((char *)BPF_CORE_READ(f, f_path.mnt) -
			       bpf_core_field_offset(struct mount, mnt));
	for (int i = 0; i < PATH_DEPTH && d; i++) {
		up = BPF_CORE_READ(d, d_parent);
		if (d != BPF_CORE_READ(mnt, mnt.mnt_root) && d != up) {
			pos = dentry_name(cpu, (uint64_t)d, pos);
			d = up;
			continue;
		}
		above = BPF_CORE_READ(mnt, mnt_parent);
		if (above == mnt || !above)
			break;
		d = BPF_CORE_READ(mnt, mnt_mountpoint);
		mnt = above;
	}
	return path_out(w, off, pos);
}

/* ---- descriptors of the current process ------------------------------------------------------ */

/* Where the types are known to the verifier fields are read directly: a helper costs several times
 * as much. */
INLINE struct file *file_of_fd(int fd)
{
	struct files_struct *files = GET(current_task(), files);
	struct fdtable *fdt = GET(files, fdt);
	struct file *f = NULL;

	if (fd < 0 || (uint32_t)fd >= GET(fdt, max_fds))
		return NULL;
	bpf_probe_read_kernel(&f, sizeof(f), GET(fdt, fd) + fd);
	return f;
}

/* The kernel's device number as user space writes it. */
INLINE uint32_t encode_dev(uint32_t dev)
{
	uint32_t major = dev >> 20, minor = dev & 0xfffff;

	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

#endif
