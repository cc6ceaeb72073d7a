import type { ReactNode } from "react";
import "./admin.css";

export function AdminPage(props: { title: string; children: ReactNode }) {
  return (
    <main className="admin-page">
      <div className="admin-column">
        <h1>{props.title}</h1>
        {props.children}
      </div>
    </main>
  );
}
