/* Where chisels are: the search path (spec chisel-api.md section 1, decisions 12). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chisel/chisel_int.h"

enum { MAX_SCRIPT_BYTES = 16 << 20 };

struct path_list {
	char **v;
	unsigned n, cap;
	bool failed;
};

static void path_add(struct path_list *l, const char *dir, size_t len)
{
	if (l->n + 2 > l->cap) {
		unsigned cap = l->cap ? l->cap * 2 : 16;
		char **v = realloc(l->v, cap * sizeof(*v));
		if (!v) {
			l->failed = true;
			return;
		}
		l->v = v;
		l->cap = cap;
	}
	char *s = malloc(len + 2);
	if (!s) {
		l->failed = true;
		return;
	}
	memcpy(s, dir, len);
	if (len && s[len - 1] != '/')
		s[len++] = '/';
	s[len] = '\0';
	l->v[l->n++] = s;
	l->v[l->n] = NULL;
}

/* Entries are split at ';' and each goes in front of the one before it: the last is searched first. */
static void path_add_env(struct path_list *l, const char *var)
{
	const char *s = getenv(var), *end;

	for (end = s ? s + strlen(s) : NULL; s && end > s;) {
		const char *from = end;

		while (from > s && from[-1] != ';')
			from--;
		if (end > from)
			path_add(l, from, (size_t)(end - from));
		end = from > s ? from - 1 : s;
	}
}

/* Beside the program (PREFIX/bin/burin -> PREFIX/share/burin/chisels), else where it was built. */
static void path_add_ours(struct path_list *l)
{
	char exe[4096], dir[4096 + 32];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct stat st;

	if (n > 0) {
		exe[n] = '\0';
		for (int i = 0; i < 2 && strrchr(exe, '/'); i++)
			*strrchr(exe, '/') = '\0';
		snprintf(dir, sizeof(dir), "%s/share/burin/chisels/", exe);
		if (!stat(dir, &st)) {
			path_add(l, dir, strlen(dir));
			return;
		}
	}
	path_add(l, BURIN_CHISELS_DIR, strlen(BURIN_CHISELS_DIR));
}

int find_default_path(char ***path, char **ours)
{
	static const char *const sysdig_dirs[] = { "/usr/share/sysdig/chisels/", "/usr/local/share/sysdig/chisels/" };
	struct path_list l = { 0 };
	const char *home = getenv("HOME");
	char dir[4096];
	struct stat st;

	path_add_env(&l, "SYSDIG_CHISEL_DIR");
	path_add_env(&l, "BURIN_CHISEL_DIR");
	path_add(&l, "", 0);
	path_add(&l, "./chisels/", 10);
	if (home && snprintf(dir, sizeof(dir), "%s/.chisels/", home) < (int)sizeof(dir) && !stat(dir, &st))
		path_add(&l, dir, strlen(dir));
	unsigned ours_at = l.n;
	path_add_ours(&l);
	for (unsigned i = 0; i < ARRAY_SIZE(sysdig_dirs); i++)
		path_add(&l, sysdig_dirs[i], strlen(sysdig_dirs[i]));
	char *our = l.failed ? NULL : strdup(l.v[ours_at]);
	if (!our) {
		find_free_path(l.v);
		return -ENOMEM;
	}
	*path = l.v;
	*ours = our;
	return 0;
}

void find_free_path(char **path)
{
	for (char **p = path; p && *p; p++)
		free(*p);
	free(path);
}

int read_text(const char *path, char **text, size_t *len, struct err *e)
{
	FILE *f = fopen(path, "re");
	struct stat st;

	if (!f)
		return err_errno(e, "can't open %s", path);
	if (fstat(fileno(f), &st) || !S_ISREG(st.st_mode) || st.st_size > MAX_SCRIPT_BYTES) {
		fclose(f);
		return err_set(e, -EINVAL, ERR_NO_POS, "%s is not a regular file of at most 16 MiB", path);
	}
	char *p = malloc((size_t)st.st_size + 1);
	size_t n = p ? fread(p, 1, (size_t)st.st_size, f) : 0;
	fclose(f);
	if (!p)
		return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
	p[n] = '\0';
	*text = p;
	*len = n;
	return 0;
}

static bool is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode);
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, (size_t)(slash - path) + 1) : strdup("./");
}

/* A file reached by its own path may still lie in our directory. */
static bool in_dir(const char *path, const char *dir)
{
	char *p = realpath(path, NULL), *d = realpath(dir, NULL);
	bool in = p && d && !strncmp(p, d, strlen(d)) && p[strlen(d)] == '/';

	free(p);
	free(d);
	return in;
}

int find_chisel(const struct chisels *cs, const char *name, char **path, char **dir, bool *ours, struct err *e)
{
	static const char *const ext[] = { ".lua", "" };
	char file[8192];

	for (unsigned i = 0; cs->path[i]; i++) {
		for (unsigned x = 0; x < ARRAY_SIZE(ext); x++) {
			int n = snprintf(file, sizeof(file), "%s%s%s", cs->path[i], name, ext[x]);
			if (n >= (int)sizeof(file) || !is_file(file))
				continue;
			char *p = strdup(file), *d = dir_of(file);
			if (!p || !d) {
				free(p);
				free(d);
				return err_set(e, -ENOMEM, ERR_NO_POS, "out of memory");
			}
			*path = p;
			*dir = d;
			*ours = in_dir(file, cs->our_dir);
			return 0;
		}
	}
	return err_set(e, -ENOENT, ERR_NO_POS, "can't find chisel %s", name);
}
