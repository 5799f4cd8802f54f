// Reads the log in order: for replay after a start, recovery and audits. Verifies checksum, own position,
// hash chain and the order of terms. Owns one large buffer; one thread.
#pragma once

#include "storage/entry.hpp"
#include "storage/entry_cache.hpp"
#include "storage/segment_set.hpp"

#include <functional>

namespace holdfast::storage {

struct scanned_entry {
    entry_header header;
    byte_view bytes; // header and body; until the next call
};

class log_scanner {
  public:
    // Entries that begin in [first, last). `first` is the start of an entry or of a segment. With a cache, an
    // entry that is in there is not read from its file.
    log_scanner(const segment_set& segments, log_position first, log_position last,
                entry_cache* cache = nullptr);

    // The next entry, fillers included; nothing at `last` or behind the last file. errc::corrupted, with
    // position, file and reason, where no valid next entry stands; position() says where.
    // errc::not_supported, with the same, where an entry of an earlier build's format stands.
    result<std::optional<scanned_entry>> next();

    // After errc::corrupted: what is wrong there, without the place.
    [[nodiscard]] const std::string& reason() const { return reason_; }

    // Where the next entry is expected.
    [[nodiscard]] log_position position() const { return position_; }

  private:
    [[nodiscard]] bool take_cached(scanned_entry& found);
    result<void> check_chain(const entry_header& header);
    result<bool> fill(std::size_t wanted);
    error damaged(const std::string& reason, errc code = errc::corrupted);

    const segment_set& segments_;
    entry_cache* const cache_;
    const log_position last_;
    log_position position_;
    std::optional<entry_header> previous_;
    std::shared_ptr<segment> segment_;
    std::vector<std::byte> buffer_;
    log_position buffer_first_;
    std::size_t buffer_size_ = 0;
    std::string reason_;
    shared_bytes cached_; // keeps what was given out last
};

// Calls `visit` for every entry in [first, last) but fillers; ends early with the first error, its own or of
// `visit`. `last` must be an entry's start or the end of the log.
result<void> for_each_entry(const segment_set& segments, log_position first, log_position last,
                            const std::function<result<void>(const scanned_entry&)>& visit,
                            entry_cache* cache = nullptr);

} // namespace holdfast::storage
