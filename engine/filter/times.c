/* Dates and durations in filter texts. Times of day without a date stay texts: evt.time compares
 * them as bytes, which is the same order. Pure but for the local time zone (TZ). */
#include "filter/filter_int.h"

#include <time.h>

#define NS_PER_S 1000000000ull

struct scan {
	const char *s, *end;
};

/* Exactly n digits. */
static bool digits(struct scan *c, unsigned n, unsigned *v)
{
	*v = 0;
	for (; n; n--, c->s++) {
		if (c->s == c->end || *c->s < '0' || *c->s > '9')
			return false;
		*v = *v * 10 + (unsigned)(*c->s - '0');
	}
	return true;
}

static bool lit(struct scan *c, char want)
{
	if (c->s == c->end || *c->s != want)
		return false;
	c->s++;
	return true;
}

/* .fraction of a second, 1 to 9 digits; optional. */
static bool fraction(struct scan *c, unsigned *ns)
{
	unsigned n = 0, one;

	*ns = 0;
	if (!lit(c, '.'))
		return true;
	for (; n < 9 && digits(c, 1, &one); n++)
		*ns = *ns * 10 + one;
	if (!n)
		return false;
	for (; n < 9; n++)
		*ns *= 10;
	return c->s == c->end || *c->s < '0' || *c->s > '9';
}

/* Z, +hh:mm, +hhmm, +hh or nothing (local). *has: a zone stands there; *off seconds east. */
static bool zone(struct scan *c, bool *has, int *off)
{
	unsigned h, m = 0;
	bool minus;

	*has = false;
	*off = 0;
	if (c->s == c->end)
		return true;
	*has = true;
	if (lit(c, 'Z') || lit(c, 'z'))
		return true;
	lit(c, ' ');
	minus = c->s < c->end && *c->s == '-';
	if ((!lit(c, '+') && !lit(c, '-')) || !digits(c, 2, &h))
		return false;
	if (c->s < c->end) {
		lit(c, ':');
		if (!digits(c, 2, &m))
			return false;
	}
	*off = (int)(h * 3600 + m * 60) * (minus ? -1 : 1);
	return h < 24 && m < 60;
}

static unsigned month_days(unsigned y, unsigned m)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;

	return days[m - 1] + (leap && m == 2);
}

/* YYYY-MM-DD[( |T)HH:MM[:SS[.fraction]][zone]]. */
bool filter_date(const char *s, uint32_t len, uint64_t *ns)
{
	struct scan c = {s, s + len};
	unsigned y, mo, d, h = 0, mi = 0, sec = 0, frac = 0;
	bool has_zone = false;
	int off = 0;
	struct tm tm;
	time_t t;

	if (!digits(&c, 4, &y) || !lit(&c, '-') || !digits(&c, 2, &mo) || !lit(&c, '-') ||
	    !digits(&c, 2, &d))
		return false;
	if (c.s < c.end) {
		if ((!lit(&c, ' ') && !lit(&c, 'T')) || !digits(&c, 2, &h) || !lit(&c, ':') ||
		    !digits(&c, 2, &mi))
			return false;
		if (lit(&c, ':') && (!digits(&c, 2, &sec) || !fraction(&c, &frac)))
			return false;
		if (!zone(&c, &has_zone, &off))
			return false;
	}
	if (c.s != c.end || y < 1970 || y > 2500 || mo < 1 || mo > 12 || d < 1 ||
	    d > month_days(y, mo) || h > 23 || mi > 59 || sec > 60)
		return false;
	tm = (struct tm){.tm_year = (int)y - 1900,
			 .tm_mon = (int)mo - 1,
			 .tm_mday = (int)d,
			 .tm_hour = (int)h,
			 .tm_min = (int)mi,
			 .tm_sec = (int)sec,
			 .tm_isdst = -1};
	t = has_zone ? timegm(&tm) - off : mktime(&tm);
	if (t < 0)
		return false;
	*ns = (uint64_t)t * NS_PER_S + frac;
	return true;
}

static bool unit(struct scan *c, uint64_t *ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {
		{"ns", 1},
		{"us", 1000},
		{"ms", 1000000},
		{"s", NS_PER_S},
		{"min", 60 * NS_PER_S},
		{"m", 60 * NS_PER_S},
		{"h", 3600 * NS_PER_S},
		{"d", 86400 * NS_PER_S},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(units); i++) {
		size_t n = strlen(units[i].name);

		if ((size_t)(c->end - c->s) >= n && !memcmp(c->s, units[i].name, n)) {
			c->s += n;
			*ns = units[i].ns;
			return true;
		}
	}
	return false;
}

/* number unit, repeated: 1h30m, 1.5s. */
bool filter_duration(const char *s, uint32_t len, uint64_t *ns)
{
	struct scan c = {s, s + len};
	uint64_t sum = 0, whole, per, part;
	unsigned one, frac;

	if (!len)
		return false;
	while (c.s < c.end) {
		const char *start = c.s;

		for (whole = 0; digits(&c, 1, &one); whole = whole * 10 + one)
			if (whole > UINT64_MAX / 100)
				return false;
		if (c.s == start || !fraction(&c, &frac) || !unit(&c, &per))
			return false;
		part = (uint64_t)((__uint128_t)frac * per / NS_PER_S);
		if (whole > (UINT64_MAX - part) / per || sum > UINT64_MAX - whole * per - part)
			return false;
		sum += whole * per + part;
	}
	*ns = sum;
	return true;
}
