// Bytes of the log that changed while the broker was down. What was answered is never cut in silence: the
// start is refused with the place and what to do; what was never answered goes without a word to the
// operator.
#include "storage/entry.hpp"
#include "storage/segment_set.hpp"
#include "tests/crash/small_broker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace holdfast::crash {
namespace {

using namespace std::chrono_literals;
using testing::broker_process;
using ::testing::HasSubstr;

constexpr std::uint64_t segment_bytes = 1U << 20U;

class damaged_log : public ::testing::Test {
  protected:
    // Some segments of answered messages, and no checkpoint: the next start looks at all of them.
    void SetUp() override {
        broker_process broker{options()};
        ASSERT_TRUE(broker.ready()) << broker.log();
        ASSERT_EQ(make_topics(broker.broker_port(), book_), "");
        {
            load clients{book_, load_on(broker, 3)};
            for (int waits = 0; waits < 500 && !std::filesystem::exists(segment(2)); ++waits)
                std::this_thread::sleep_for(10ms);
        }
        broker.kill();
        end_ = find_end();
        ASSERT_GT(end_, 2 * segment_bytes);
    }

    [[nodiscard]] testing::broker_options options(const std::vector<std::string>& more = {}) const {
        auto all = small_broker(data_, {"--checkpointInterval=3600000", "--checkpointBytes=1G"});
        all.settings.insert(all.settings.end(), more.begin(), more.end());
        return all;
    }

    [[nodiscard]] std::filesystem::path segment(std::uint64_t number) const {
        return data_.path() / "commitlog" / storage::segment_file_name(log_position{number * segment_bytes});
    }

    [[nodiscard]] std::string read(std::uint64_t position, std::size_t size) const {
        std::ifstream file{segment(position / segment_bytes), std::ios::binary};
        file.seekg(static_cast<std::streamoff>(position % segment_bytes));
        std::string bytes(size, '\0');
        file.read(bytes.data(), static_cast<std::streamsize>(size));
        return bytes;
    }

    void write(std::uint64_t position, const std::string& bytes) const {
        std::fstream file{segment(position / segment_bytes), std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(static_cast<std::streamoff>(position % segment_bytes));
        file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }

    void flip(std::uint64_t position) const {
        auto byte = read(position, 1);
        byte[0] = static_cast<char>(byte[0] ^ 0x10);
        write(position, byte);
    }

    // Walks the headers.
    std::uint64_t find_end() {
        entries_.clear();
        for (std::uint64_t at = 0;;) {
            const auto bytes = read(at, storage::entry_header_size);
            const auto header = storage::decode_entry_header(as_bytes(bytes));
            if (!header.ok() || header->position.value() != at)
                return at;
            last_entry_ = *header;
            entries_.push_back(at);
            at = header->is_filler() ? (at / segment_bytes + 1) * segment_bytes : header->next().value();
        }
    }

    // An entry of messages in the middle of the log; those of offset commits are small and nobody reads them.
    [[nodiscard]] std::uint64_t middle_entry() const {
        constexpr std::size_t kind_at = storage::entry_header_size + 20; // broker/command.hpp
        constexpr char message = 1;
        for (auto index = entries_.size() / 2; index < entries_.size(); ++index)
            if (read(entries_[index] + kind_at, 1)[0] == message)
                return entries_[index];
        ADD_FAILURE() << "no messages behind the middle of the log";
        return 0;
    }

    void expect_refused(const std::string& words) {
        broker_process broker{options()};
        EXPECT_FALSE(broker.ready());
        EXPECT_EQ(broker.wait(10s), 1);
        EXPECT_THAT(broker.log(), HasSubstr("can't start"));
        EXPECT_THAT(broker.log(), HasSubstr(words));
    }

    struct reading {
        std::uint64_t records = 0;
        std::uint64_t wrong = 0;   // served and not what was sent
        std::uint64_t refused = 0; // offsets that could not be read
    };
    // One message at a time; what can't be read is stepped over.
    reading read_all(std::uint16_t port) {
        reading all;
        wire_client client{port};
        for (std::uint32_t queue = 0; queue < static_cast<std::uint32_t>(book_.queues()); ++queue) {
            const auto most =
                client.ask(protocol::get_max_offset_request{.topic = "orders", .queue = queue_number{queue}});
            const auto last =
                most ? protocol::decode_header<protocol::offset_response>(most->command)->offset.value() : 0;
            for (std::int64_t next = 0; next < last; ++next) {
                const auto got =
                    client.ask(protocol::pull_message_request{.consumer_group = ledger::group,
                                                              .topic = "orders",
                                                              .queue = queue_number{queue},
                                                              .offset = queue_offset{next},
                                                              .max_messages = 1,
                                                              .sys_flag = protocol::pull_flag::subscription,
                                                              .subscription = "*"});
                if (!got)
                    return all;
                const auto record = protocol::stored_message_reader{got->command.body()}.next();
                if (!got->ok() || !record)
                    ++all.refused;
                else if (!record->ok() || !(*record)->body_is_intact() || (*record)->offset.value() != next)
                    ++all.wrong;
                else
                    ++all.records;
            }
        }
        return all;
    }

    void expect_all_there() {
        broker_process broker{options()};
        ASSERT_TRUE(broker.ready()) << broker.log();
        EXPECT_EQ(book_.verify(broker.broker_port()), "") << broker.log();
        EXPECT_TRUE(send_probe(broker.broker_port())->ok());
    }

    testing::temporary_directory data_;
    ledger book_{{"orders"}, 2};
    std::uint64_t end_ = 0;
    std::vector<std::uint64_t> entries_; // where they begin
    storage::entry_header last_entry_;
};

TEST_F(damaged_log, a_flipped_bit_in_the_middle_refuses_the_start_and_changes_nothing) {
    const auto rotten = middle_entry();
    flip(rotten + storage::entry_header_size + 30);
    expect_refused("acceptDataLoss=" + std::to_string(rotten));
    {
        broker_process broker{options({"--acceptDataLoss=" + std::to_string(rotten + 64)})};
        EXPECT_FALSE(broker.ready()) << "a word for another place";
    }
    flip(rotten + storage::entry_header_size + 30);
    expect_all_there();
}

TEST_F(damaged_log, the_operators_word_gives_up_what_lies_behind_a_flipped_bit) {
    const auto rotten = middle_entry();
    const auto accept = "acceptDataLoss=" + std::to_string(rotten);
    flip(rotten + storage::entry_header_size + 30);
    expect_refused(accept);
    {
        broker_process broker{options({"--" + accept})};
        ASSERT_TRUE(broker.ready()) << broker.log();
        EXPECT_THAT(broker.log(), HasSubstr("accepted by acceptDataLoss"));
        EXPECT_TRUE(send_probe(broker.broker_port())->ok());
        const auto kept = read_all(broker.broker_port());
        EXPECT_GT(kept.records, 0U);
        EXPECT_EQ(kept.refused, 0U);
        EXPECT_EQ(kept.wrong, 0U);
    }
    broker_process broker{options()};
    EXPECT_TRUE(broker.ready()) << "the word is needed once: " << broker.log();
}

// Below the last checkpoint a start does not look: it would take too long. What is rotten there is not
// served.
TEST_F(damaged_log, rot_below_the_checkpoint_is_not_served) {
    expect_all_there(); // and checkpoints
    const auto rotten = middle_entry();
    flip(rotten + storage::entry_header_size + 100);
    broker_process broker{options()};
    ASSERT_TRUE(broker.ready()) << broker.log();
    const auto got = read_all(broker.broker_port());
    EXPECT_GT(got.records, 0U);
    EXPECT_GT(got.refused, 0U);
    EXPECT_EQ(got.wrong, 0U);
    EXPECT_THAT(broker.log(), HasSubstr(std::to_string(rotten)));
}

// A clean stop checkpoints: then even the last entry is known to have been flushed.
TEST_F(damaged_log, rot_in_the_last_entry_is_seen_after_a_clean_stop) {
    {
        broker_process broker{options()};
        ASSERT_TRUE(broker.ready()) << broker.log();
        EXPECT_TRUE(send_probe(broker.broker_port())->ok());
        EXPECT_EQ(broker.terminate(10s), 0) << broker.log();
    }
    find_end();
    const auto last = entries_.back();
    flip(last + storage::entry_header_size);
    expect_refused("acceptDataLoss=" + std::to_string(last));
    broker_process broker{options({"--acceptDataLoss=" + std::to_string(last)})};
    ASSERT_TRUE(broker.ready()) << broker.log();
    EXPECT_TRUE(send_probe(broker.broker_port())->ok());
}

// An entry like the last one, whole but for its checksum: a batch that was torn before anybody was answered.
TEST_F(damaged_log, a_torn_entry_at_the_end_is_cut) {
    auto torn = read(entries_.back(), last_entry_.length);
    store_little(reinterpret_cast<std::byte*>(torn.data()) + 16, end_);
    ASSERT_LT(end_ % segment_bytes + torn.size(), segment_bytes);
    write(end_, torn);
    broker_process broker{options()};
    ASSERT_TRUE(broker.ready()) << broker.log();
    EXPECT_THAT(broker.log(), HasSubstr("they were never answered OK"));
    EXPECT_EQ(book_.verify(broker.broker_port()), "") << broker.log();
}

TEST_F(damaged_log, a_truncated_file_refuses_the_start_and_stays_as_it_is) {
    const auto whole = read(0, segment_bytes);
    std::filesystem::resize_file(segment(0), segment_bytes / 2);
    expect_refused(segment(0).filename().string());
    EXPECT_EQ(std::filesystem::file_size(segment(0)), segment_bytes / 2);
    std::filesystem::resize_file(segment(0), segment_bytes);
    expect_refused("acceptDataLoss=");
    write(0, whole);
    expect_all_there();
}

TEST_F(damaged_log, a_missing_file_refuses_the_start) {
    const auto aside = data_.path() / "aside";
    std::filesystem::rename(segment(1), aside);
    expect_refused(std::to_string(2 * segment_bytes));
    std::filesystem::rename(aside, segment(1));
    expect_all_there();
}

} // namespace
} // namespace holdfast::crash
