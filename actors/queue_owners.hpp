// Which connection pulled a group's queue last, and which queues an operator has moved: what the fencing of
// offsets needs to know of every pull.
//
// Sessions note each pull of a member on their threads, consumer_group actors ask. Volatile, on the leader
// only: after a start nobody owns anything until the first pull.
//
// A queue that was moved (reset) stays so until a member has followed: it is told the new offset (code 21),
// and a pull from there, or from another place than before, ends it. Some clients doubt the first word and
// ask again from the same place; none is told without end.
#pragma once

#include "base/ids.hpp"

#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace holdfast::actors {

class queue_owners {
  public:
    struct owner {
        std::optional<connection_id> connection;
        bool is_moved = false;                   // and the consumer has not followed yet
        std::optional<queue_offset> pulled_from; // by the last pull: what is below was fetched before
    };

    // A member pulls from `from`. Returns where it must go on instead when the queue was moved.
    std::optional<queue_offset> pulled(std::string_view group, queue_key queue, connection_id by,
                                       queue_offset from);
    [[nodiscard]] owner find(std::string_view group, queue_key queue) const;
    void move(const std::string& group, queue_key queue, queue_offset to);
    // It has left the group.
    void forget(std::string_view group, connection_id member);

  private:
    static constexpr int most_tellings = 5; // to one connection at one place
    struct entry {
        std::optional<connection_id> owner;
        std::optional<queue_offset> pulled_from;
        std::optional<queue_offset> moved_to;
        std::optional<connection_id> told; // of the move, last
        queue_offset told_at;              // where it stood
        int tellings = 0;
    };
    using group_entries = std::unordered_map<queue_key, entry>;
    struct alignas(64) shard {
        mutable std::mutex mutex;
        std::map<std::string, group_entries, std::less<>> groups;
    };
    static constexpr std::size_t shard_count = 16;

    static std::size_t shard_of(queue_key queue) { return std::hash<queue_key>{}(queue) >> 60U; }

    std::array<shard, shard_count> shards_; // by queue
};

} // namespace holdfast::actors
