#include "live/cgroup.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "state/container.h"

/* Folders looked at: a machine with more groups than this does without. */
enum { MOST_GROUPS = 20000, DEEPEST = 32 };

struct search {
	const char *id;
	size_t root_len;
	unsigned seen, found;
	uint64_t cgroup;
	uint32_t level;
	char path[4096];
};

static bool is_container(const struct search *s)
{
	struct container_match m;
	char text[sizeof(s->path) + 8];
	int n = snprintf(text, sizeof(text), "x=%s", s->path + s->root_len);

	return container_match(&m, text, (size_t)n, false) && !strcmp(m.id, s->id);
}

/* The group at s->path and, unless it is the one, those below it. */
static void look(struct search *s, uint32_t level)
{
	size_t len = strlen(s->path);
	struct dirent *de;
	struct stat st;
	DIR *d;

	if (s->seen++ >= MOST_GROUPS || level > DEEPEST || len + 258 > sizeof(s->path))
		return;
	if (is_container(s)) {
		if (!stat(s->path, &st)) {
			s->found++;
			s->cgroup = st.st_ino;
			s->level = level;
		}
		return;
	}
	d = opendir(s->path);
	while (d && (de = readdir(d))) {
		if (de->d_type != DT_DIR || de->d_name[0] == '.')
			continue;
		snprintf(s->path + len, sizeof(s->path) - len, "/%s", de->d_name);
		look(s, level + 1);
		s->path[len] = 0;
	}
	if (d)
		closedir(d);
}

/* Where the unified hierarchy is mounted, from its root on. */
static bool find_mount(char *out, size_t cap)
{
	char line[1024], at[512], in[512], *type;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	bool ok = false;

	while (f && !ok && fgets(line, sizeof(line), f)) {
		type = strstr(line, " - ");
		if (!type || strncmp(type, " - cgroup2 ", 11) ||
		    sscanf(line, "%*d %*d %*s %511s %511s", in, at) != 2)
			continue;
		ok = !strcmp(in, "/") && strlen(at) < cap;
		if (ok)
			strcpy(out, at);
	}
	if (f)
		fclose(f);
	return ok;
}

bool cgroup_of_container(const char *root, const char *id, uint64_t *cgroup, uint32_t *level)
{
	struct search s = {.id = id};

	if (root ? (size_t)snprintf(s.path, sizeof(s.path), "%s", root) >= sizeof(s.path)
		 : !find_mount(s.path, sizeof(s.path)))
		return false;
	s.root_len = strlen(s.path);
	look(&s, 0);
	if (s.found != 1 || s.seen > MOST_GROUPS)
		return false;
	*cgroup = s.cgroup;
	*level = s.level;
	return true;
}
