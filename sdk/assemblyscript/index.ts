// Aviary guest SDK for AssemblyScript: see README.md.

export { Arr, array, Obj, object, text } from "./lib/build";
export { Call, Group, InfoKind, Target, Transport } from "./lib/call";
export {
  channel,
  CodeChangeHandler,
  connect,
  ConnectContext,
  ConnectHandler,
  Context,
  Handler,
  JoinHandler,
  Route,
  TerminateHandler,
} from "./lib/channel";
export { abort, Level } from "./lib/host";
export { ConnectResult, JoinResult, Reason, Result } from "./lib/result";
export { Fields, State } from "./lib/state";
export { bytes, codePoints, json, Kind, Payload, Value } from "./lib/value";
