// The halves of transactions that nobody has decided yet. Part of the state: changed by apply only.
//
// A half is decided at most once. The decision takes it out of here, so a later one finds nothing, whoever
// sends it and however often: that is all there is to idempotence, and it holds through restarts because the
// decision is an entry of the log.
#pragma once

#include "base/ids.hpp"
#include "broker/delivery_records.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace holdfast::broker {

struct half_message {
    log_position position;  // of its record
    queue_key queue;        // where it goes when it is committed
    std::uint32_t size = 0; // of the record as it is served
    std::int32_t tags = 0;
    timestamp_ms stored;
    std::int32_t immunity_ms = -1; // not checked before this age; -1: the broker's transactionTimeOut
    std::uint16_t checks = 0;      // sent to producers so far
    std::uint8_t topic_bytes = 0;  // of its topic's name
    timestamp_ms last_checked;
    std::shared_ptr<const std::string> group; // producer group; one copy for all its halves

    // What clients take for the half's queue offset, and give back with their decision. It says the same as
    // the position, so that a log that lost its beginning still knows it.
    [[nodiscard]] std::int64_t number() const { return static_cast<std::int64_t>(position.value()); }

    friend bool operator==(const half_message& one, const half_message& other);
};

// Why a decision changed nothing. Stands where the answer would otherwise hold a queue offset.
namespace decision_outcome {
inline constexpr queue_offset topic_gone{-1}; // committed, but its topic was deleted
inline constexpr queue_offset rolled_back{-2};
inline constexpr queue_offset not_pending{-3};  // decided before, or never a half: the delivery index knows
inline constexpr queue_offset other_number{-4}; // the numbers belong to different halves
inline constexpr queue_offset other_group{-5};
} // namespace decision_outcome

class transaction_table {
  public:
    // `group` is copied once for all its halves; `half.group` is filled in. Positions rise. This reference
    // and the pointers below hold until the next change.
    const half_message& add(half_message half, std::string_view group);

    [[nodiscard]] const half_message* find(log_position half) const;
    // The half that `decided` names, when all it says is right; else why not.
    struct verdict {
        const half_message* half = nullptr;
        queue_offset refusal{0};
    };
    [[nodiscard]] verdict judge(const decision& decided) const;
    void checked(log_position half, timestamp_ms when);
    void remove(log_position half);

    // Retention stops here.
    [[nodiscard]] std::optional<log_position> oldest() const;
    [[nodiscard]] std::size_t size() const { return size_; }

    // Those from `first` on in the order of the log, until `visit` says false.
    template <typename visitor>
    void walk(log_position first, visitor visit) const {
        for (auto at = chunk_of(first); at != chunks_.end(); ++at)
            for (auto half = at_or_behind(at->second, first); half != at->second.end(); ++half)
                if (!visit(*half))
                    return;
    }

  private:
    struct group_use {
        std::shared_ptr<const std::string> name;
        std::size_t halves = 0;
    };
    // A million undecided halves must fit into memory beside everything else: a tree's node for each would
    // nearly double them. So the tree is one of short sorted arrays, by a position that is not behind the
    // array's first and behind all of the array before. Neighbours that have become small are joined.
    using chunk = std::vector<half_message>;
    using chunk_map = std::map<log_position, chunk>;

    [[nodiscard]] static chunk::const_iterator at_or_behind(const chunk& halves, log_position first);
    // The last one that can hold `position`, else the first.
    [[nodiscard]] chunk_map::const_iterator chunk_of(log_position position) const;
    void join(chunk_map::iterator first, chunk_map::iterator second);
    [[nodiscard]] half_message* slot(log_position half);

    chunk_map chunks_; // none is empty
    std::size_t size_ = 0;
    std::unordered_map<std::string_view, group_use> groups_; // keys point into the names
};

} // namespace holdfast::broker
