import type { Draft, MessageType } from "@pytake/realtime";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSession } from "../session/use-session";

export interface Attachment {
  id: number;
  name: string;
  size: number;
  type: string;
  /** From 0 to 1; "failed" keeps its chip until it is removed. */
  state: "uploading" | "ready" | "failed";
  progress: number;
  mediaId?: string;
  width?: number;
  height?: number;
}

/** What WhatsApp takes beside a file, in characters; audio takes none. */
const LONGEST_CAPTION = 1_024;

let lastId = 0;

export function messageTypeOf(mime: string): MessageType {
  const [kind] = mime.split("/");
  if (mime === "image/jpeg" || mime === "image/png") return "image";
  return kind === "video" || kind === "audio" ? kind : "document";
}

/** Files with a text: as caption of the first file that takes it, else as a message before them. */
export function withText(files: readonly Draft[], text: string): Draft[] {
  if (!text) return [...files];
  const fits = [...text].length <= LONGEST_CAPTION;
  const captioned = fits ? files.find(({ message_type }) => message_type !== "audio") : undefined;
  if (!captioned) return [{ content: { text } }, ...files];
  return files.map((file) =>
    file === captioned ? { ...file, content: { ...file.content, caption: text } } : file,
  );
}

/** Files on their way to the server, each with progress and a way to cancel. */
export function useAttachments() {
  const { getToken } = useSession();
  const [files, setFiles] = useState<readonly Attachment[]>([]);
  const requests = useRef(new Map<number, XMLHttpRequest>());

  const update = useCallback((id: number, change: Partial<Attachment>) => {
    setFiles((all) => all.map((file) => (file.id === id ? { ...file, ...change } : file)));
  }, []);

  const add = useCallback(
    (chosen: FileList | File[]) => {
      for (const file of chosen) {
        lastId += 1;
        const id = lastId;
        const { name, size, type } = file;
        setFiles((all) => [...all, { id, name, size, type, state: "uploading", progress: 0 }]);
        void sizeOf(file).then((room) => room && update(id, room));
        void upload(file, {
          token: getToken,
          onRequest: (request) => requests.current.set(id, request),
          onProgress: (progress) => update(id, { progress }),
        })
          .then((mediaId) => update(id, { state: "ready", progress: 1, mediaId }))
          .catch(() => update(id, { state: "failed" }));
      }
    },
    [getToken, update],
  );

  const remove = useCallback((id: number) => {
    requests.current.get(id)?.abort();
    requests.current.delete(id);
    setFiles((all) => all.filter((file) => file.id !== id));
  }, []);

  /** Take those that are there; a chip that failed stays to be seen. */
  const take = useCallback((): Draft[] => {
    const ready = files.filter((file) => file.state === "ready");
    setFiles((all) => all.filter((file) => !ready.includes(file)));
    return ready.map((file) => draftOf(file));
  }, [files]);

  useEffect(() => {
    const running = requests.current;
    return () => {
      for (const request of running.values()) request.abort();
    };
  }, []);

  return useMemo(
    () => ({
      files,
      add,
      remove,
      take,
      isBusy: files.some((file) => file.state === "uploading"),
      hasReady: files.some((file) => file.state === "ready"),
    }),
    [files, add, remove, take],
  );
}

export type Attachments = ReturnType<typeof useAttachments>;

function draftOf({ mediaId, name, size, type, width, height }: Attachment): Draft {
  const room = width && height ? { width, height } : {};
  return {
    message_type: messageTypeOf(type),
    content: { media_id: mediaId, filename: name, mime_type: type, size, ...room },
  };
}

async function sizeOf(file: File): Promise<{ width: number; height: number } | undefined> {
  if (!file.type.startsWith("image/")) return undefined;
  const bitmap = await createImageBitmap(file).catch(() => undefined);
  return bitmap && { width: bitmap.width, height: bitmap.height };
}

interface UploadOptions {
  token: () => string | Promise<string>;
  onRequest: (request: XMLHttpRequest) => void;
  onProgress: (progress: number) => void;
}

/** `fetch` cannot tell how far an upload is; XMLHttpRequest can. */
async function upload(file: File, options: UploadOptions): Promise<string> {
  const token = await options.token();
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/v1/media");
    request.setRequestHeader("authorization", `Bearer ${token}`);
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => options.onProgress(loaded / (total || 1));
    request.onload = () => {
      const { id } = (request.response ?? {}) as { id?: string };
      if (request.status < 300 && id) resolve(id);
      else reject(new Error(`refused with ${request.status}`));
    };
    request.onerror = request.onabort = () => reject(new Error("not uploaded"));
    const form = new FormData();
    form.append("file", file, file.name);
    options.onRequest(request);
    request.send(form);
  });
}
