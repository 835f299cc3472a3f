#include "live/users.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "event/event.h"

static const char *const files[2] = {"passwd", "group"};

static void file_path(char *out, size_t cap, const char *name)
{
	const char *root = getenv("BURIN_HOST_ROOT");

	snprintf(out, cap, "%s/etc/%s", root ? root : "", name);
}

FILE *users_file(const char *name)
{
	char path[512];

	file_path(path, sizeof(path), name);
	return fopen(path, "re");
}

/* ---- lists ----------------------------------------------------------------------------------- */

static void list_init(struct user_list *l)
{
	*l = (struct user_list){.n = 0};
	buf_init(&l->text);
}

static void list_fini(struct user_list *l)
{
	free(l->e);
	buf_fini(&l->text);
}

/* Without memory the entry is left out: it is told when the files change again. */
static void add(struct user_list *l, struct user_entry e, const char *const texts[3])
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		void *p = realloc(l->e, cap * sizeof(*l->e));

		if (!p)
			return;
		l->e = p;
		l->cap = cap;
	}
	e.off = (uint32_t)l->text.len;
	for (int i = 0; i < 3; i++) {
		e.len[i] = (uint32_t)strlen(texts[i]) + 1;
		buf_put(&l->text, texts[i], e.len[i]);
	}
	if (!buf_failed(&l->text))
		l->e[l->n++] = e;
}

static void read_list(struct user_list *l)
{
	FILE *f = users_file("passwd");
	struct passwd *pw;
	struct group *gr;

	while (f && (pw = fgetpwent(f)))
		add(l, (struct user_entry){.id = pw->pw_uid, .gid = pw->pw_gid},
		    (const char *const[]){pw->pw_name, pw->pw_dir, pw->pw_shell});
	if (f)
		fclose(f);
	f = users_file("group");
	while (f && (gr = fgetgrent(f)))
		add(l, (struct user_entry){.is_group = true, .id = gr->gr_gid},
		    (const char *const[]){gr->gr_name, "", ""});
	if (f)
		fclose(f);
}

static uint32_t text_len(const struct user_entry *e)
{
	return e->len[0] + e->len[1] + e->len[2];
}

static bool list_has(const struct user_list *l, const struct user_list *from,
		     const struct user_entry *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct user_entry *o = &l->e[i];

		if (o->is_group == e->is_group && o->id == e->id && o->gid == e->gid &&
		    text_len(o) == text_len(e) &&
		    !memcmp(l->text.p + o->off, from->text.p + e->off, text_len(e)))
			return true;
	}
	return false;
}

static bool list_has_id(const struct user_list *l, const struct user_entry *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->e[i].is_group == e->is_group && l->e[i].id == e->id)
			return true;
	return false;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell(const struct user_list *l, const struct user_entry *e, bool gone, struct inject *q,
		 uint64_t ts)
{
	unsigned type = e->is_group ? EV_GROUP_ADDED_E : EV_USER_ADDED_E;
	uint32_t lens[6], n = 0;
	struct buf b;

	if (gone)
		type = e->is_group ? EV_GROUP_DELETED_E : EV_USER_DELETED_E;
	buf_init(&b);
	buf_put(&b, &e->id, lens[n++] = 4);
	if (!e->is_group)
		buf_put(&b, &e->gid, lens[n++] = 4);
	for (int i = 0; i < (e->is_group ? 1 : 3); i++)
		lens[n++] = e->len[i];
	buf_put(&b, l->text.p + e->off, e->is_group ? e->len[0] : text_len(e));
	buf_put(&b, "", lens[n++] = 1); /* of no container */
	if (!buf_failed(&b))
		inject_event(q, ts, -1, (uint16_t)type, n, lens, b.p);
	buf_fini(&b);
}

/* Whether a file is another one than last time. */
static bool changed(struct users *u)
{
	bool yes = false;

	for (int i = 0; i < 2; i++) {
		struct stat st = {0};
		char path[512];

		file_path(path, sizeof(path), files[i]);
		if (stat(path, &st))
			continue; /* being replaced */
		yes |= st.st_mtim.tv_sec != u->mtime[i].tv_sec ||
		       st.st_mtim.tv_nsec != u->mtime[i].tv_nsec ||
		       (uint64_t)st.st_size != u->size[i] || st.st_ino != u->inode[i];
		u->mtime[i] = st.st_mtim;
		u->size[i] = (uint64_t)st.st_size;
		u->inode[i] = st.st_ino;
	}
	return yes;
}

void users_init(struct users *u, bool want)
{
	*u = (struct users){.want = want};
	list_init(&u->list);
	if (want && changed(u))
		read_list(&u->list);
}

void users_fini(struct users *u)
{
	list_fini(&u->list);
}

void users_look(struct users *u, struct inject *q, uint64_t ts)
{
	struct user_list now;

	if (!u->want || !changed(u))
		return;
	list_init(&now);
	read_list(&now);
	for (size_t i = 0; i < u->list.n; i++)
		if (!list_has_id(&now, &u->list.e[i]))
			tell(&u->list, &u->list.e[i], true, q, ts);
	for (size_t i = 0; i < now.n; i++)
		if (!list_has(&u->list, &now, &now.e[i]))
			tell(&now, &now.e[i], false, q, ts);
	list_fini(&u->list);
	u->list = now;
}
