// Turns the records of many tasks' logs into lines to show, keeps the newest of them, and knows where each task's log
// was left so that a broken stream goes on there.
import { toBinary } from "@bufbuild/protobuf";
import { LogRecordSchema, LogStream, type LogRecord, type LogsReply } from "../gen/hearth/v1/jobs_pb";

export interface LogLine {
  id: number; // grows; a line keeps its id while it grows
  task: number;
  stream: LogStream;
  text: string;
}

export interface LogCursor {
  task: number;
  attempt: number;
  offset: bigint;
}

interface Open {
  decoder: TextDecoder;
  line: LogLine | undefined; // the last line, not ended yet
}

interface TaskLog {
  attempt: number;
  offset: bigint;
  streams: Map<LogStream, Open>;
}

const kMaxLineLength = 4000;

export class LogLines {
  lines: LogLine[] = [];
  dropped = 0; // lines that were shown once and are no longer kept
  private tasks_ = new Map<number, TaskLog>();
  private next_id_ = 1;

  constructor(private readonly max_lines_ = 2000) {}

  cursors(): LogCursor[] {
    return Array.from(this.tasks_, ([task, log]) => ({ task, attempt: log.attempt, offset: log.offset }));
  }

  add(reply: LogsReply): void {
    let log = this.tasks_.get(reply.task);
    if (log !== undefined && reply.attempt < log.attempt) return;
    if (log === undefined || reply.attempt > log.attempt) {
      if (log !== undefined) this.push_(reply.task, LogStream.UNSPECIFIED, `task ${reply.task} runs again (attempt ${reply.attempt})`);
      log = { attempt: reply.attempt, offset: reply.offset, streams: new Map() };
      this.tasks_.set(reply.task, log);
    }
    let at = reply.offset;
    for (const record of reply.records) {
      const end = at + BigInt(stored_size(record));
      if (at >= log.offset) {
        this.add_record_(reply.task, log, record);
        log.offset = end;
      }
      at = end;
    }
    this.trim_();
  }

  private add_record_(task: number, log: TaskLog, record: LogRecord): void {
    let open = log.streams.get(record.stream);
    if (open === undefined) {
      open = { decoder: new TextDecoder(), line: undefined };
      log.streams.set(record.stream, open);
    }
    const pieces = open.decoder.decode(record.data, { stream: true }).split("\n");
    pieces.forEach((piece, i) => {
      if (i > 0) open.line = undefined;
      const last = i === pieces.length - 1;
      if (last && piece === "") return;
      open.line = open.line === undefined ? this.push_(task, record.stream, piece) : this.extend_(open.line, piece);
    });
  }

  private push_(task: number, stream: LogStream, text: string): LogLine {
    const line = { id: this.next_id_++, task, stream, text: visible(text) };
    this.lines.push(line);
    return line;
  }

  // The line is replaced, not changed: what shows it sees by identity which lines are new.
  private extend_(line: LogLine, text: string): LogLine {
    const at = this.lines.lastIndexOf(line);
    if (at < 0) return this.push_(line.task, line.stream, text);
    const longer = { ...line, text: visible(line.text + text) };
    this.lines[at] = longer;
    return longer;
  }

  private trim_(): void {
    const excess = this.lines.length - this.max_lines_;
    if (excess <= 0) return;
    this.lines = this.lines.slice(excess);
    this.dropped += excess;
  }
}

// Bytes of a record in a task's log: itself and the varint of its length.
export function stored_size(record: LogRecord): number {
  const size = toBinary(LogRecordSchema, record, { writeUnknownFields: false }).length;
  let prefix = 1;
  for (let rest = size >>> 7; rest > 0; rest >>>= 7) prefix++;
  return prefix + size;
}

// What a terminal would leave to see: no escape sequences, and a carriage return starts the line over.
export function visible(text: string): string {
  let plain = text.replace(/\u001b\[[0-9;?]*[ -/]*[@-~]/g, "").replace(/\u001b\][^\u0007]*\u0007/g, "");
  if (plain.endsWith("\r")) plain = plain.slice(plain.lastIndexOf("\r", plain.length - 2) + 1);
  else plain = plain.slice(plain.lastIndexOf("\r") + 1);
  return plain.length > kMaxLineLength ? `${plain.slice(0, kMaxLineLength)}…` : plain;
}
