// Reads what one pull asks for from the committed view and writes the answer (protocol reference 3.3, 6.8;
// traps T2, T19). Used by consumer_session (memory only) and by reader actors (memory and disk).
#pragma once

#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/answers.hpp"
#include "protocol/tags.hpp"

#include <optional>
#include <vector>

namespace holdfast::actors {

struct pull_range {
    queue_key queue;
    queue_offset from;
    std::size_t max_messages = 1;
    std::size_t max_bytes = 1;
    bool may_stay = true; // with this broker, if it is a follower
};

enum class pull_role : std::uint8_t {
    leader,   // alone, too
    follower, // knows a part of the truth only: it gives messages, and for everything else the leader's id
};

enum class pull_outcome : std::uint8_t {
    answered,    // an answer is in the buffer
    nothing_new, // the consumer is at the end of the queue: hold the pull, or answer_nothing_new. On a
                 // follower: there is nothing to give; send_to_leader
    elsewhere,   // only the disk has it: let a reader do it
    beyond_end,  // it is further than the queue as this node knows it: if it leads, its consumer is told
                 // (trap T2: not by one that another may have replaced)
};

class pull_reader {
  public:
    pull_reader(const session_environment& environment, storage::queue_index::source where,
                pull_role role = pull_role::leader)
        : environment_(environment), where_(where), role_(role) {}

    pull_outcome read(const pull_range& range, const protocol::tag_filter& filter,
                      const protocol::answer_to& to, byte_buffer& out);

    // PULL_NOT_FOUND for a pull that was held long enough or may not be held.
    void answer_nothing_new(const pull_range& range, const protocol::answer_to& to, byte_buffer& out) const;
    // Nothing here: go on at the leader, with the same offset.
    void send_to_leader(const pull_range& range, const protocol::answer_to& to, byte_buffer& out) const;

  private:
    struct match {
        queue_offset offset;
        storage::queue_index_entry where;
    };
    struct selection {
        storage::queue_bounds bounds;
        queue_offset next;          // behind the last entry examined
        log_position last_examined; // the furthest of the records
        std::size_t bytes = 0;
        bool elsewhere = false;
    };

    result<selection> select(const pull_range& range, const protocol::tag_filter& filter);
    [[nodiscard]] std::size_t likely_entries(const pull_range& range, const selection& so_far) const;
    result<bool> copy(byte_buffer& out);
    result<void> load(log_position position, bool& elsewhere);
    result<void> write_message(const match& found, std::byte* to) const;
    result<void> write_reference(const match& found, bool& elsewhere, std::byte* to);
    result<std::optional<storage::settled_record>> brought_by(log_position position);
    [[nodiscard]] std::int64_t suggestion(const pull_range& range, const selection& selected) const;
    // An answer, except on a follower, which is not to say it.
    pull_outcome say(const protocol::answer_to& to, protocol::response_code code, std::string_view remark,
                     const protocol::pull_message_response& answer, byte_buffer& out) const;
    pull_outcome refuse(const protocol::answer_to& to, const error& why, byte_buffer& out) const;

    const session_environment& environment_;
    const storage::queue_index::source where_;
    const pull_role role_;
    std::vector<storage::queue_index_entry> entries_;
    std::vector<match> matches_;
    std::size_t record_bytes_ = 0;  // of the last answer's records, in the mean; 0 = not known
    storage::cached_entry current_; // the entry that the last record was in: the next one often is too
    storage::settled_block near_;
};

} // namespace holdfast::actors
