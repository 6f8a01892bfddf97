/** The sign-in. It says why it refuses, in the service's words. */
import { useState, type FormEvent } from "react";

import { api } from "../api/client";
import type { Session } from "../api/types";
import { Logo } from "./marks";

export function SignIn({ fault, onSignedIn }: { fault: string | null; onSignedIn: (session: Session) => void }) {
  const [problem, setProblem] = useState(fault);
  const [busy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    try {
      onSignedIn(await api.signIn(String(form.get("name")), String(form.get("password"))));
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <main className="sign-in">
      <form onSubmit={(event) => void submit(event)} aria-labelledby="sign-in-title">
        <h1 id="sign-in-title">
          <Logo /> Headworks
        </h1>
        <label>
          Name
          <input name="name" autoComplete="username" autoCapitalize="none" required maxLength={64} autoFocus />
        </label>
        <label>
          Password
          <input name="password" type="password" autoComplete="current-password" required maxLength={256} />
        </label>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? "Signing in …" : "Sign in"}
        </button>
        <p role="alert" className="problem">
          {problem}
        </p>
      </form>
    </main>
  );
}
