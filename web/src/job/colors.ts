// One colour a member, told apart by people who see fewer colours too (Okabe and Ito), and of enough contrast on both themes.
const ON_LIGHT = ["#0063a3", "#b34700", "#00775a", "#a3478a", "#6b6300", "#1b7f9e", "#8a3b12", "#4b4bb3"];
const ON_DARK = ["#56b4e9", "#f0914a", "#3ecf9f", "#e29ac8", "#e6d64a", "#7fd3ea", "#e0a07c", "#a5a5f5"];

export function isDark(): boolean {
  const asked = document.documentElement.dataset.theme;
  return asked ? asked === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
}

export function memberColor(members: string[], member: string): string {
  const colors = isDark() ? ON_DARK : ON_LIGHT;
  return colors[Math.max(0, members.indexOf(member)) % colors.length]!;
}

export const MARKS = ["circle", "square", "diamond", "triangle"] as const;

/** The members of a job, those that search first: the order of colours and columns. */
export function membersOf(job: { search_members: string[]; refine_members: string[]; score_members: string[] }): string[] {
  return [...new Set([...job.search_members, ...job.refine_members, ...job.score_members])];
}
