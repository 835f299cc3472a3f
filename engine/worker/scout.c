/* Reading a section with less than the run demands, as long as nothing in it passes the filter.
 *
 * A printed line takes more state than most filters do: the descriptors, say, of which "proc.name=X" knows nothing.
 * All of it would be kept for lines that a selective filter never lets through. So the sections of a file are read
 * for the filter alone, until an event passes it; then the section of that event is read again from its start with
 * everything, and so is the rest of the file. What the events before it are is known by then: none is looked at again.
 *
 * Exact, because a filter's answer depends on what the filter demands only, and because the tables begin anew with
 * every section. It takes a file that can be read again, and consumers that see the events that pass and no others. */
#include "worker/worker_int.h"

void scout_begin(struct pipeline *p)
{
	const struct pipeline_opts *o = p->o;
	struct scout *sc = &p->scout;

	p->demand = o->demand;
	if (!o->filter || o->display || o->chisels || o->writer || o->suppress || o->progress || p->in_order ||
	    !source_can_rewind(p->src))
		return;
	/* Time on a CPU is counted from section to section. */
	if (o->demand->bits & DEMAND_CPU)
		return;
	sc->demand = *o->demand;
	sc->demand.bits = 0;
	demand_add(&sc->demand, filter_demand(o->filter) & o->demand->bits);
	if (sc->demand.bits == o->demand->bits)
		return;
	sc->on = true;
	p->demand = &sc->demand;
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
	if (!p->scout.on || !s->nsel)
		return false;
	p->scout.met = true;
	p->scout.met_off = s->b.file_off + s->b.ev[s->sel[0]].off;
	return true;
}

bool scout_done(const struct pipeline *p, const struct slot *s)
{
	return p->scout.met && s->b.file_off + s->b.len <= p->scout.met_off;
}

int scout_end(struct pipeline *p, struct err *e)
{
	struct scout *sc = &p->scout;

	sc->on = false;
	p->demand = p->o->demand;
	p->stats = sc->stats;
	p->raw_before = sc->raw_before;
	return source_rewind(p->src, sc->section_off, e);
}
