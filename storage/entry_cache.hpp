// Whole verified entries in memory, by position, at most so many bytes; the least recently used go first.
// The writer's side puts in what it just sealed, so consumers at the tail read no file; log_reader puts in
// what it read from the disk.
//
// Threads: any. One mutex; an insert and a look-up together take under 0.4 us (log_bench), per entry, not per
// message.
#pragma once

#include "base/bytes.hpp"
#include "base/ids.hpp"

#include <list>
#include <map>
#include <mutex>
#include <optional>

namespace holdfast::storage {

struct cached_entry {
    log_position position;
    shared_bytes entry; // header and body
};

class entry_cache {
  public:
    explicit entry_cache(std::size_t limit_bytes);

    // `entry` is sealed and whole. Counts entry.size() bytes and a fixed overhead: what is put in should own
    // little more than that. Replaces an older one at the same position.
    void insert(log_position position, shared_bytes entry);

    // For who reads from the disk while the log's tail may be cut: the same, but nothing is put in when
    // erase_from was called since erasures() said `seen`.
    void insert_read(log_position position, shared_bytes entry, std::uint64_t seen);
    [[nodiscard]] std::uint64_t erasures() const;

    [[nodiscard]] std::optional<shared_bytes> find(log_position position);
    // The entry whose [position, end) holds this byte.
    [[nodiscard]] std::optional<cached_entry> find_containing(log_position byte);

    // After the log's tail was cut, or its oldest segments removed.
    void erase_from(log_position position);
    void erase_before(log_position position);

    [[nodiscard]] std::size_t size_bytes() const;

    struct statistics {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;
    };
    [[nodiscard]] statistics counts() const;

  private:
    struct slot {
        shared_bytes entry;
        std::list<log_position>::iterator place;
    };
    using slots = std::map<log_position, slot>;
    void put(log_position position, shared_bytes entry);
    slots::iterator erase(slots::iterator which);
    void touch(slot& used);

    const std::size_t limit_bytes_;
    mutable std::mutex mutex_;
    slots slots_;
    std::list<log_position> by_use_; // most recently used first
    std::size_t size_bytes_ = 0;
    std::uint64_t erasures_ = 0;
    statistics counts_;
};

} // namespace holdfast::storage
