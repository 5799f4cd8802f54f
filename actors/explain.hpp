// Where a message stands: the answer to `holdfast explain` (request 30001, our own CLI only), as JSON.
//
// The message is found by its broker's id (offset message id), its UNIQ_KEY or a word of its KEYS, over all
// topics or in one. Of several that match, a list; of one, everything that is known: where it is in the log,
// what became of its transaction or its delay, its place in its queue, and for each group whether it was
// fetched, acknowledged, sent back and dead-lettered. Copies in %RETRY% and %DLQ% topics share its UNIQ_KEY;
// by that they are found. Bounded: at most max_matches records are looked at for each question.
//
// Runs in a reader actor: it reads the disk.
#pragma once

#include "actors/session_environment.hpp"
#include "actors/visible_record.hpp"
#include "protocol/stored_message.hpp"
#include "storage/delivery_index.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace holdfast::actors {

// A record, and what became of it since it was written.
struct explained_record {
    log_position position;
    located_record record; // keeps the bytes
    storage::entry_header entry;
    protocol::stored_message_view message;          // as it was written
    std::optional<storage::settled_record> settled; // halves and delayed ones that are decided or delivered
    queue_key queue;                                // where it is, or would go
    std::optional<queue_offset> offset; // its place there; nothing: in no queue (yet, or any more)
};

class explainer {
  public:
    static constexpr std::size_t max_matches = 64;

    // What the commit log knows of an undecided half; nothing when it is not undecided.
    using half_lookup = std::function<std::optional<broker::half_message>(log_position)>;

    explainer(const session_environment& environment, half_lookup find_half)
        : environment_(environment), find_half_(std::move(find_half)) {}

    // `topic` may be empty. The JSON's members are listed in docs/operations.md.
    result<std::string> explain(std::string_view key, std::string_view topic);

    // What a group has sent back of one message, and given up.
    struct copies {
        std::vector<explained_record> retried;
        std::vector<explained_record> dead;
    };
    using copies_by_group = std::map<std::string, copies>;

  private:
    // errc::not_found: that part of the log is gone by retention.
    result<std::optional<explained_record>> find(log_position position);
    result<std::vector<explained_record>> find_all(std::string_view key, std::string_view topic);
    result<void> find_by_key(const std::string& topic, std::string_view key,
                             std::vector<explained_record>& found);
    result<copies_by_group> find_copies(const explained_record& original);

    const session_environment& environment_;
    half_lookup find_half_;
    std::optional<log_position> expired_; // asked for by its place, which retention has taken
};

} // namespace holdfast::actors
