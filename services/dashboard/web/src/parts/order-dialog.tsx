/** An order that wants a reason: what will happen, why, and the service's own words when it refuses. */
import { useEffect, useRef, useState, type FormEvent } from "react";

interface Props {
  title: string;
  text: string;
  confirm: string;
  danger?: boolean;
  give: (reason: string) => Promise<unknown>;
  onClose: (given: boolean) => void;
}

export function OrderDialog({ title, text, confirm, danger = false, give, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    dialog.current?.showModal();
  }, []);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const reason = String(new FormData(event.currentTarget).get("reason")).trim();
    setBusy(true);
    try {
      await give(reason);
      onClose(true);
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  }

  return (
    <dialog ref={dialog} aria-labelledby="order-title" onCancel={() => onClose(false)} onClose={() => onClose(false)}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="order-title">{title}</h2>
        <p>{text}</p>
        <label>
          Reason, kept in the journal
          <input name="reason" required maxLength={250} pattern=".*\S.*" autoComplete="off" autoFocus />
        </label>
        <p className="problem" role="alert">
          {problem}
        </p>
        <div className="buttons">
          <button type="button" onClick={() => onClose(false)}>
            Do nothing
          </button>
          <button type="submit" className={danger ? "danger" : "primary"} disabled={busy}>
            {confirm}
          </button>
        </div>
      </form>
    </dialog>
  );
}
