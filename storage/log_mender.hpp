// Puts right one rotten place of a log (log_rot.hpp) with bytes from another replica, in place.
//
// Nobody is believed. Entries are chained: each holds the checksum of the one before, under its own checksum.
// So bytes from wherever are what stood here once they are entries that follow the entry before the place,
// each at its own position, and an entry of our own that still stands behind follows the last of them. Only
// then they are written, flushed and read again; before that nothing is changed.
//
// However long the place is, some 8 MiB of it are in memory (or one entry). A longer one is proved in a first
// pass that keeps only marks, places between entries with the checksum they follow, and fetched again stretch
// by stretch from the last one to the first. Each is proved by the two marks around it. A crash in between
// leaves a shorter place, or a torn write in it: rot like any other, to be mended again.
//
// The `flushed` mark of what is written is the beginning of the place: that was on this disk, or it would not
// be rot.
//
// One thread. Writes through a descriptor of its own.
#pragma once

#include "storage/log_rot.hpp"

#include <vector>

namespace holdfast::storage {

class log_mender {
  public:
    static constexpr std::uint64_t most_kept_bytes = 8U << 20U;

    // Nothing at or behind `limit` is written, and nobody else writes below it meanwhile: of a log in use, a
    // block's start below what is committed and flushed; else the end of the last file. `most_kept`: for
    // tests.
    log_mender(segment_set& segments, const rotten_place& place, log_position limit,
               std::uint64_t most_kept = most_kept_bytes);

    // The bytes to be fetched next: of the entry that begins at `entry`, from `offset` on, and of the entries
    // behind it, without the padding between them.
    struct wanted {
        log_position entry;
        std::uint64_t offset = 0;
        friend bool operator==(const wanted&, const wanted&) = default;
    };
    [[nodiscard]] wanted next() const { return {at_, partial_.size()}; }

    struct range {
        log_position first;
        log_position last;
    };
    struct verdict {
        std::optional<range> written; // on the disk now, and read again
        bool is_mended = false;       // the whole place
        std::string refuted;          // not empty: why these bytes are of no use; nothing was changed
    };
    // The bytes of next(), as many as came. An error: this disk failed to take them, and nobody knows what it
    // holds now. After `refuted`, or to go on with another replica's bytes: start_again().
    result<verdict> take(byte_view bytes);

    // Forgets what was not proved.
    void start_again();

  private:
    // Between two entries.
    struct mark {
        log_position position;
        std::optional<std::uint32_t> checksum; // of the entry before; none at the log's beginning
        term_number term;
    };
    [[nodiscard]] std::string look_at_entry(byte_view bytes, bool& is_whole, entry_header& header) const;
    [[nodiscard]] std::string keep(const entry_header& header, byte_view entry);
    [[nodiscard]] bool is_joined(std::string& refuted) const;
    // `is_changed`: the disk may no longer hold what it held.
    result<void> write_all(bool& is_changed);
    result<void> write_part(const segment& where, std::size_t first_kept, std::size_t last_kept,
                            bool& is_changed);
    result<verdict> write_stretch();

    segment_set& segments_;
    const log_position place_first_;
    const log_position limit_;
    const std::uint64_t most_kept_;

    std::vector<mark> marks_;  // where each stretch begins; never empty
    std::optional<mark> join_; // the end of the last one; none before the first pass has found it
    // Of the last stretch:
    mark behind_;                    // what was kept ends here
    log_position at_;                // = behind_.position
    std::vector<std::byte> partial_; // of the entry there
    struct kept_entry {
        log_position position;
        log_position next;
        shared_bytes bytes;
    };
    std::vector<kept_entry> kept_;
    std::uint64_t kept_bytes_ = 0;
};

} // namespace holdfast::storage
