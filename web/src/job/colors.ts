// One colour a member, told apart by people who see fewer colours too; the style sheet has them for each theme.
const COLORS = 8;

/** Of the style sheet, for what it draws. */
export function memberColor(members: string[], member: string): string {
  return `var(${variable(members, member)})`;
}

/** As it is just now, for a canvas. */
export function memberColorNow(members: string[], member: string): string {
  return colorNow(variable(members, member));
}

/** A colour of the style sheet as it is just now: what its pair of colours comes to in this theme. */
export function colorNow(name: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function variable(members: string[], member: string): string {
  return `--member-${Math.max(0, members.indexOf(member)) % COLORS}`;
}

/** The members of a job, those that search first: the order of colours and columns. */
export function membersOf(job: { search_members: string[]; refine_members: string[]; score_members: string[] }): string[] {
  return [...new Set([...job.search_members, ...job.refine_members, ...job.score_members])];
}
