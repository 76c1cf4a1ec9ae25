// Who is signed in, which page is shown, and what stands around it.
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Link, Route, Router, Switch, useLocation } from "wouter-preact";
import { useHashLocation } from "wouter-preact/use-hash-location";
import { AdminPage } from "./admin/AdminPage";
import { get, onSignedOut, signOut } from "./api/client";
import type { MeView } from "./api/schema";
import { said } from "./hooks";
import { JobPage } from "./job/JobPage";
import { JobsPage } from "./jobs/JobsPage";
import { LearnPage } from "./learn/LearnPage";
import { NewJobPage } from "./new/NewJobPage";
import { Notices, notify } from "./parts/Notices";
import { SignIn } from "./SignIn";
import { ThemeSwitch } from "./ThemeSwitch";
import { WorkersPage } from "./workers/WorkersPage";

export function App() {
  return (
    <Router hook={useHashLocation}>
      <Signed />
      <Notices />
    </Router>
  );
}

function Signed() {
  const [me, setMe] = useState<MeView | null | undefined>(undefined);
  const [place, go] = useLocation();
  const link = /^\/sign-in\/(.+)$/.exec(place)?.[1];
  const look = () => get<MeView>("v1/me").then(setMe, () => setMe(null));
  useEffect(() => {
    onSignedOut(() => setMe(null));
    if (!link) void look();
  }, []);
  if (link || me === null)
    return (
      <SignIn
        link={link ?? null}
        onSignedIn={async () => {
          await look();
          if (link) go("/", { replace: true });
        }}
        onGivenUp={() => {
          go("/", { replace: true });
          void look();
        }}
      />
    );
  return me ? <Shell me={me} onLeave={() => setMe(null)} /> : null;
}

function Shell({ me, onLeave }: { me: MeView; onLeave: () => void }) {
  const leave = () => signOut().then(onLeave, (error) => notify(said(error), "bad"));
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to the page
      </a>
      <header class="top">
        <Link href="/" class="brand">
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
            <g class="brand-slab"><circle cx="6" cy="26" r="5.5" /><circle cx="16" cy="26" r="5.5" /><circle cx="26" cy="26" r="5.5" /></g>
            <circle class="brand-c" cx="16" cy="15" r="4" /><circle class="brand-o" cx="16" cy="7.5" r="3.6" />
          </svg>
          Adhop
        </Link>
        <nav aria-label="Pages">
          <Tab href="/" also="/jobs">Jobs</Tab>
          {me.role !== "read" && <Tab href="/new">New job</Tab>}
          <Tab href="/learn">Learn</Tab>
          <Tab href="/workers">Workers</Tab>
          <Tab href="/admin">{me.role === "admin" ? "Admin" : "Account"}</Tab>
        </nav>
        <div class="who">
          <ThemeSwitch />
          <span class="user" title={`key ${me.key}, which may ${me.role}`}>{me.name}</span>
          <button class="quiet" onClick={leave}>Sign out</button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <Switch>
          <Route path="/"><JobsPage me={me} /></Route>
          <Route path="/new">{me.role === "read" ? <Missing /> : <NewJobPage me={me} />}</Route>
          <Route path="/jobs/:id">{(at) => <JobPage key={at.id} id={at.id} me={me} />}</Route>
          <Route path="/learn"><LearnPage me={me} /></Route>
          <Route path="/workers"><WorkersPage /></Route>
          <Route path="/admin"><AdminPage me={me} /></Route>
          <Route><Missing /></Route>
        </Switch>
      </main>
    </>
  );
}

function Tab({ href, also, children }: { href: string; also?: string; children: ComponentChildren }) {
  const [place] = useLocation();
  const here = place === href || (also !== undefined && place.startsWith(`${also}/`));
  return (
    <Link href={href} class={here ? "here" : ""} aria-current={here ? "page" : undefined}>
      {children}
    </Link>
  );
}

function Missing() {
  return <p class="empty">There is no such page. <Link href="/">Go to the jobs.</Link></p>;
}
