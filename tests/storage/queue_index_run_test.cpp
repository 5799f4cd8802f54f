#include "storage/queue_index_run.hpp"

#include "storage/derived_store.hpp"
#include "tests/storage/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::storage {
namespace {

constexpr queue_key queue{topic_id{0x01020304}, queue_number{0x0A0B}};

queue_index_entry entry_at(std::int64_t offset) {
    return {log_position{static_cast<std::uint64_t>(offset) * 1000}, static_cast<std::uint32_t>(offset + 1),
            static_cast<std::int32_t>(-offset)};
}

std::vector<queue_index_entry> entries(std::int64_t first, std::int64_t last) {
    std::vector<queue_index_entry> entries;
    for (auto offset = first; offset < last; ++offset)
        entries.push_back(entry_at(offset));
    return entries;
}

// A store with runs of `queue` and of its neighbours on both sides.
class stored_runs : public ::testing::Test {
  protected:
    void SetUp() override {
        auto opened = derived_store::open(home_.path(), "log");
        ASSERT_TRUE(opened.ok());
        store_ = std::move(*opened);
    }

    void put(queue_key key, std::int64_t first, std::int64_t last) {
        derived_batch batch;
        batch.put(queue_run_key(key, queue_offset{first}), encode_queue_run(entries(first, last)));
        ASSERT_TRUE(store_->write(std::move(batch), store_->applied() + 1).ok());
    }

    const testing::temporary_directory home_;
    std::unique_ptr<derived_store> store_;
};

// Stored on disk: these bytes must never change.
TEST(queue_index_run, keys_and_values_are_golden) {
    EXPECT_EQ(queue_run_key(queue, queue_offset{0x1122334455667788}),
              std::string("q\x01\x02\x03\x04\x00\x00\x0A\x0B\x11\x22\x33\x44\x55\x66\x77\x88", 17));
    EXPECT_EQ(queue_run_prefix(queue), std::string("q\x01\x02\x03\x04\x00\x00\x0A\x0B", 9));
    EXPECT_EQ(queue_run_prefix(queue.topic), "q\x01\x02\x03\x04");
    const queue_index_entry entry{log_position{0x0102030405060708}, 0x0A0B0C0D, -2};
    EXPECT_EQ(encode_queue_run(std::span{&entry, 1}),
              "\x08\x07\x06\x05\x04\x03\x02\x01\x0D\x0C\x0B\x0A\xFE\xFF\xFF\xFF");
}

TEST(queue_index_run, what_is_encoded_is_decoded) {
    const auto some = entries(5, 25);
    EXPECT_EQ(*decode_queue_run(encode_queue_run(some)), some);
    EXPECT_EQ(*decode_queue_run(""), std::vector<queue_index_entry>{});
    const auto broken = decode_queue_run(std::string(17, 'x'));
    ASSERT_FALSE(broken.ok());
    EXPECT_EQ(broken.failure().code, errc::corrupted);

    const auto key = queue_run_key(queue, queue_offset{77});
    EXPECT_EQ(parse_queue_run_key(key), (parsed_run_key{queue, queue_offset{77}}));
    EXPECT_EQ(parse_queue_run_key(key + "x"), std::nullopt);
    EXPECT_EQ(parse_queue_run_key(std::string{"p"}.append(key, 1)), std::nullopt);
    EXPECT_EQ(parse_queue_run_key(key.substr(0, 9) + std::string(8, '\xFF')), std::nullopt);
    EXPECT_DEATH((void)queue_run_key(queue, queue_offset{-1}), "first");
}

TEST_F(stored_runs, are_found_by_any_offset_in_them) {
    put({queue.topic, queue.queue - 1}, 0, 100);
    put(queue, 10, 20);
    put(queue, 20, 21);
    put(queue, 30, 40);
    put({queue.topic, queue.queue + 1}, 0, 100);
    const auto at = [&](std::int64_t offset) { return *find_run(*store_, queue, queue_offset{offset}); };
    for (const std::int64_t outside : {-1, 0, 9, 21, 29, 40, 1000})
        EXPECT_EQ(at(outside), std::nullopt) << outside;
    for (const std::int64_t inside : {10, 15, 19})
        EXPECT_EQ(at(inside), (queue_index_run{queue_offset{10}, entries(10, 20)})) << inside;
    EXPECT_EQ(at(20), (queue_index_run{queue_offset{20}, entries(20, 21)}));
    EXPECT_EQ(at(39)->last(), queue_offset{40});
}

TEST_F(stored_runs, are_read_across_their_borders_up_to_a_hole) {
    put({queue.topic, queue.queue - 1}, 0, 100);
    put(queue, 10, 20);
    put(queue, 20, 21);
    put(queue, 21, 30);
    put(queue, 35, 40);
    put({queue.topic, queue.queue + 1}, 40, 100);
    const auto read = [&](std::int64_t offset, std::size_t limit) {
        return *read_queue_index(*store_, queue, queue_offset{offset}, limit);
    };
    EXPECT_EQ(read(10, 100), entries(10, 30));
    EXPECT_EQ(read(15, 100), entries(15, 30));
    EXPECT_EQ(read(15, 3), entries(15, 18));
    EXPECT_EQ(read(19, 3), entries(19, 22));
    EXPECT_EQ(read(19, 2), entries(19, 21));
    EXPECT_EQ(read(38, 100), entries(38, 40));
    for (const std::int64_t outside : {-5, 0, 9, 30, 34, 40})
        EXPECT_TRUE(read(outside, 100).empty()) << outside;
    EXPECT_TRUE(read(10, 0).empty());
}

TEST_F(stored_runs, are_cut_to_their_largest_size) {
    constexpr auto most = static_cast<std::int64_t>(queue_run_entries_max);
    derived_batch batch;
    put_queue_runs(batch, queue, queue_offset{7}, entries(7, 7 + 2 * most + 1));
    put_queue_runs(batch, queue, queue_offset{5}, {});
    ASSERT_TRUE(store_->write(std::move(batch), log_position{1}).ok());
    for (const auto first : {std::int64_t{7}, 7 + most, 7 + 2 * most}) {
        const auto last = std::min(first + most, 7 + 2 * most + 1);
        EXPECT_EQ(*find_run(*store_, queue, queue_offset{first}),
                  (queue_index_run{queue_offset{first}, entries(first, last)}));
    }
    EXPECT_EQ(*find_run(*store_, queue, queue_offset{5}), std::nullopt);
    EXPECT_EQ(*read_queue_index(*store_, queue, queue_offset{7}, 5000), entries(7, 7 + 2 * most + 1));
}

TEST_F(stored_runs, that_are_broken_are_reported) {
    derived_batch batch;
    batch.put(queue_run_key(queue, queue_offset{20}), std::string(15, 'x'));
    ASSERT_TRUE(store_->write(std::move(batch), log_position{1}).ok());
    put(queue, 10, 20);
    EXPECT_EQ(find_run(*store_, queue, queue_offset{20}).failure().code, errc::corrupted);
    EXPECT_EQ(read_queue_index(*store_, queue, queue_offset{20}, 5).failure().code, errc::corrupted);
    EXPECT_EQ(read_queue_index(*store_, queue, queue_offset{15}, 50).failure().code, errc::corrupted);
    EXPECT_EQ(read_queue_index(*store_, queue, queue_offset{15}, 5)->size(), 5U);
}

} // namespace
} // namespace holdfast::storage
