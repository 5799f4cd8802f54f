// What a start makes of the key index that it finds; the actor's state alone, over a real directory.
#include "actors/key_indexer.hpp"

#include "storage/rocksdb_settings.hpp"
#include "tests/actors/data_directory.hpp"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include <limits>

namespace holdfast::actors {
namespace {

class key_indexer_test : public ::testing::Test {
  protected:
    void SetUp() override {
        data_.put_topic("orders");
        data_.send("orders", 0, 5);
        data_.index_keys();
        indexed_ = data_.end();
        data_.stop();
    }
    void set_up() {
        data_.start();
        view_.emplace(data_.state(), *data_.booted().store);
        state_.set_up({keys(), data_.id(), data_.booted().log.get(), &*view_, &published_, bulk_size_});
        ASSERT_NE(published_.load(), nullptr);
    }
    [[nodiscard]] std::filesystem::path keys() const { return data_.path() / "keys"; }
    // How many records have the key that all have.
    [[nodiscard]] std::size_t found() const {
        const auto found = published_.load()->find(storage::hash_key("orders", "shared"), timestamp_ms{0},
                                                   timestamp_ms{std::numeric_limits<std::int64_t>::max()},
                                                   std::numeric_limits<std::size_t>::max());
        EXPECT_TRUE(found.ok());
        return found.ok() ? found->size() : 0;
    }

    std::size_t bulk_size_ = 1000;
    testing::data_directory data_;
    log_position indexed_;
    std::optional<committed_view> view_;
    std::atomic<storage::key_index*> published_{nullptr};
    key_indexer_state state_;
};

TEST_F(key_indexer_test, an_index_that_fits_is_kept) {
    set_up();
    EXPECT_EQ(published_.load()->indexed_until(), indexed_);
    EXPECT_EQ(found(), 5U);
}

TEST_F(key_indexer_test, an_index_of_another_format_is_built_anew_from_the_log) {
    {
        rocksdb::DB* opened = nullptr;
        ASSERT_TRUE(rocksdb::DB::Open({}, keys().string(), &opened).ok());
        const std::unique_ptr<rocksdb::DB> database{opened};
        const auto identity = storage::encode_identity(storage::key_index::format_version - 1, data_.id());
        ASSERT_TRUE(database->Put({}, std::string(1, '\0'), identity).ok());
    }
    set_up();
    EXPECT_EQ(published_.load()->indexed_until(), log_position{0});
    EXPECT_EQ(found(), 0U);
    state_.gather(data_.end());
    state_.save();
    EXPECT_EQ(published_.load()->indexed_until(), data_.end());
    EXPECT_EQ(found(), 5U);
}

// A full disk, say, while there is more to gather than one bulk holds.
TEST_F(key_indexer_test, a_bulk_that_could_not_be_saved_is_gathered_again) {
    bulk_size_ = 4;
    data_.start();
    for (int i = 0; i < 10; ++i)
        data_.send("orders", 0, 2);
    data_.stop();
    set_up();
    std::filesystem::remove_all(keys() / "incoming");
    state_.gather(data_.end());
    std::filesystem::create_directory(keys() / "incoming");
    state_.save();
    EXPECT_EQ(published_.load()->indexed_until(), indexed_) << "it has not passed what it has not saved";
    state_.gather(data_.end());
    state_.save();
    EXPECT_EQ(published_.load()->indexed_until(), data_.end());
    EXPECT_EQ(found(), 25U);
}

} // namespace
} // namespace holdfast::actors
