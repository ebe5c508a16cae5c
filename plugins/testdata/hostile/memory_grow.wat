;; Grows its memory page by page as far as it may, and asks for more, for ever.
(func $attack (param $req i32) (param $len i32) (result i64)
  (loop $again
    (drop (memory.grow (i32.const 1)))
    (br $again))
  (unreachable))
