import { render } from "preact";
import { App } from "./App";
import "./style/base.css";
import "./style/controls.css";
import "./style/parts.css";
import "./style/tables.css";
import "./style/pages.css";
import "./style/job.css";
import "./style/new.css";
import "./style/people.css";
import "./style/narrow.css";
import "./style/stacks.css";

render(<App />, document.getElementById("app")!);
