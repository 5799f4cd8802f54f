#include "storage/queue_search.hpp"

#include "base/check.hpp"
#include "storage/derived_store.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <random>

namespace holdfast::storage {
namespace {

constexpr queue_key queue{topic_id{3}, queue_number{1}};

class queue_search_test : public ::testing::Test {
  protected:
    queue_search_test() {
        auto opened = derived_store::open(home_.path(), "8c6d2f0e-55a1-4b0e-9d0b-3f1f1c9f7a11");
        HOLDFAST_CHECK(opened.ok());
        store_ = *std::move(opened);
        index_.emplace(*store_);
        search_.emplace(*index_);
    }

    // Every message that `is_reference` says came in by reference, from an early place in the log.
    template <class Rule>
    void fill(std::int64_t count, Rule is_reference) {
        std::vector<queue_index_entry> entries;
        for (std::int64_t offset = 0; offset < count; ++offset)
            entries.emplace_back(is_reference(offset) ? log_position{7} : position_of(offset), 100U, 0,
                                 is_reference(offset));
        std::vector<waiter_id> woken;
        index_->append(queue, queue_offset{0}, entries, woken);
    }

    static log_position position_of(std::int64_t offset) {
        return log_position{1'000 + 128 * static_cast<std::uint64_t>(offset)};
    }
    // -1: not there.
    std::int64_t found(log_position position) {
        const auto place = search_->find(queue, position);
        HOLDFAST_CHECK(place.ok());
        return *place ? (*place)->value() : -1;
    }

    testing::temporary_directory home_;
    std::unique_ptr<derived_store> store_;
    std::optional<queue_index> index_;
    std::optional<queue_search> search_;
};

TEST_F(queue_search_test, finds_nothing_in_an_empty_queue) {
    EXPECT_EQ(found(log_position{1'000}), -1);
}

TEST_F(queue_search_test, finds_what_was_written_and_nothing_else_in_any_order) {
    // Runs of references shorter and longer than a part, at the beginning and at the end as well.
    const auto is_reference = [](std::int64_t offset) {
        return offset < 600 || (offset > 2'000 && offset < 2'700) || offset % 5 == 0 || offset >= 9'500;
    };
    fill(10'000, is_reference);
    std::mt19937_64 random{5};
    for (int i = 0; i < 20'000; ++i) {
        const auto offset = static_cast<std::int64_t>(random() % 10'000);
        ASSERT_EQ(found(position_of(offset)), is_reference(offset) ? -1 : offset);
        ASSERT_EQ(found(position_of(offset) + 1), -1);
    }
    EXPECT_EQ(found(log_position{7}), -1);
    EXPECT_EQ(found(position_of(10'000)), -1);
}

TEST_F(queue_search_test, what_retention_has_taken_is_not_found_even_when_it_was_before) {
    fill(5'000, [](std::int64_t) { return false; });
    EXPECT_EQ(found(position_of(700)), 700);
    index_->raise_first(queue, queue_offset{701});
    EXPECT_EQ(found(position_of(700)), -1);
    EXPECT_EQ(found(position_of(701)), 701);
}

TEST_F(queue_search_test, neighbours_cost_one_read_a_part) {
    fill(100'000, [](std::int64_t) { return false; });
    for (std::int64_t offset = 0; offset < 100'000; offset += 10)
        ASSERT_EQ(found(position_of(offset)), offset);
    EXPECT_LE(search_->reads(), 100'000U / 256 + 30);
}

} // namespace
} // namespace holdfast::storage
