;; Copies all of its memory, overlapping, for ever.
(func $attack (param $req i32) (param $len i32) (result i64)
  (drop (memory.grow (i32.const 253))) ;; 16 MiB in all

  (loop $again
    (memory.copy (i32.const 131073) (i32.const 131072) (i32.const 16646143))
    (br $again))
  (unreachable))
