/* Reading a section with less than the run demands, as long as nothing in it passes the filter.
 *
 * A printed line takes more state than most filters do: the descriptors, say, of which "proc.name=X" knows nothing.
 * All of it would be kept for lines that a selective filter never lets through. So the sections of a file are read
 * for the filter alone, until an event passes it; then the section of that event is read again from its start with
 * everything, and so is the rest of the file. Before that, filters that ask for certain texts are looked after without
 * any state: until one of the texts stands in the file there can be no such event (filter_texts). What is known of the
 * events before the place where a pass ended is not found out again.
 *
 * Exact, because a filter's answer depends on what the filter demands only, and because the tables begin anew with
 * every section. It takes a file that can be read again, and consumers that see the events that pass and no others. */
#include "worker/worker_int.h"

static void scout_set(struct pipeline *p, enum scout_kind kind)
{
	const struct pipeline_opts *o = p->o;
	const struct digest_texts texts = kind == SCOUT_TEXTS ? filter_texts(o->filter) : (struct digest_texts){0};
	struct scout *sc = &p->scout;

	sc->kind = kind;
	p->demand = o->demand;
	if (kind == SCOUT_NONE)
		return;
	sc->demand = *o->demand;
	sc->demand.bits = 0;
	if (kind == SCOUT_FILTER)
		demand_add(&sc->demand, filter_demand(o->filter) & o->demand->bits);
	p->demand = &sc->demand;
	if (!sc->demand.bits)
		digest_scan_init(&sc->scan, &sc->demand, &p->pred, &texts);
}

/* What the filter demands is all there is. */
static bool filter_demands_all(const struct pipeline_opts *o)
{
	struct demand d = *o->demand;

	d.bits = 0;
	demand_add(&d, filter_demand(o->filter) & o->demand->bits);
	return d.bits == o->demand->bits;
}

static bool scout_may(const struct pipeline *p)
{
	const struct pipeline_opts *o = p->o;

	if (!o->filter || o->display || o->chisels || o->writer || o->suppress || o->progress || p->in_order)
		return false;
	/* Time on a CPU is counted from section to section. */
	return !(o->demand->bits & DEMAND_CPU) && source_can_rewind(p->src);
}

void scout_begin(struct pipeline *p)
{
	const struct pipeline_opts *o = p->o;

	if (!scout_may(p))
		scout_set(p, SCOUT_NONE);
	else if (filter_texts(o->filter).in && !o->ro->resolve_ports)
		scout_set(p, SCOUT_TEXTS);
	else
		scout_set(p, filter_demands_all(o) ? SCOUT_NONE : SCOUT_FILTER);
}

bool scout_scans(const struct pipeline *p)
{
	return p->scout.kind && !p->demand->bits;
}

void scout_section(struct pipeline *p, const struct slot *s)
{
	struct scout *sc = &p->scout;

	sc->section_off = s->b.file_off;
	sc->numbering = s->b.before;
	sc->stats = p->stats;
	sc->raw_before = p->raw_before;
}

bool scout_met(struct pipeline *p, const struct slot *s)
{
	struct scout *sc = &p->scout;

	if (sc->kind == SCOUT_TEXTS && s->b.has_text)
		sc->met_off = s->b.file_off;
	else if (sc->kind == SCOUT_FILTER && s->nsel)
		sc->met_off = s->b.file_off + s->b.ev[s->sel[0]].off;
	else
		return false;
	return sc->met = true;
}

bool scout_quiet(const struct pipeline *p, const struct slot *s)
{
	return s->b.file_off + s->b.len <= p->scout.quiet_off;
}

void scout_next(struct pipeline *p)
{
	struct scout *sc = &p->scout;
	bool once_more = sc->kind == SCOUT_TEXTS && !filter_demands_all(p->o);

	scout_set(p, once_more ? SCOUT_FILTER : SCOUT_NONE);
	sc->quiet_off = sc->met_off;
	sc->met = false;
	p->stats = sc->stats;
	p->raw_before = sc->raw_before;
	source_rewind(p->src, sc->section_off);
}
