;; A loop that does nothing.
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again (br $again))
  (unreachable))
