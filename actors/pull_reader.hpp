// Reads what one pull asks for from the committed view and writes the answer (protocol reference 3.3, 6.8;
// traps T2, T19). Used by consumer_session (memory only) and by reader actors (memory and disk).
#pragma once

#include "actors/session_environment.hpp"
#include "base/byte_buffer.hpp"
#include "protocol/answers.hpp"
#include "protocol/tags.hpp"

#include <vector>

namespace holdfast::actors {

struct pull_range {
    queue_key queue;
    queue_offset from;
    std::size_t max_messages = 1;
    std::size_t max_bytes = 1;
};

enum class pull_outcome : std::uint8_t {
    answered,    // an answer is in the buffer
    nothing_new, // the consumer is at the end of the queue: hold the pull, or answer_nothing_new
    elsewhere,   // only the disk has it: let a reader do it
};

class pull_reader {
  public:
    pull_reader(const session_environment& environment, storage::queue_index::source where)
        : environment_(environment), where_(where) {}

    pull_outcome read(const pull_range& range, const protocol::tag_filter& filter,
                      const protocol::answer_to& to, byte_buffer& out);

    // PULL_NOT_FOUND for a pull that was held long enough or may not be held.
    void answer_nothing_new(const pull_range& range, const protocol::answer_to& to, byte_buffer& out) const;

  private:
    struct match {
        queue_offset offset;
        storage::queue_index_entry where;
    };
    struct selection {
        storage::queue_bounds bounds;
        queue_offset next; // behind the last entry examined
        std::size_t bytes = 0;
        bool elsewhere = false;
    };

    result<selection> select(const pull_range& range, const protocol::tag_filter& filter);
    result<bool> copy(byte_buffer& out);
    result<byte_view> record(const storage::queue_index_entry& where, bool& elsewhere);
    void answer_without_body(const protocol::answer_to& to, protocol::response_code code,
                             std::string_view remark, storage::queue_bounds bounds, queue_offset next,
                             byte_buffer& out) const;

    const session_environment& environment_;
    const storage::queue_index::source where_;
    std::vector<storage::queue_index_entry> entries_;
    std::vector<match> matches_;
    storage::cached_entry current_; // the entry that the last record was in: the next one often is too
};

} // namespace holdfast::actors
