// Members of a group that consumes in order, each a process: one is frozen until its queues are another's,
// one is added, one is killed. The messages of a key come in their order all the while, and all of them come.
#include "client/admin.hpp"
#include "client/producer.hpp"
#include "client/push_consumer.hpp"
#include "tests/support/broker_process.hpp"
#include "tests/support/wait_for.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace holdfast::e2e {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 40s;
constexpr int queues = 6;
constexpr int keys = 12; // two in a queue

class unnamed_pipe {
  public:
    unnamed_pipe() { EXPECT_EQ(::pipe(ends_.data()), 0); }
    ~unnamed_pipe() {
        ::close(ends_[0]);
        close_write();
    }
    unnamed_pipe(const unnamed_pipe&) = delete;
    unnamed_pipe& operator=(const unnamed_pipe&) = delete;

    [[nodiscard]] int read_end() const { return ends_[0]; }
    [[nodiscard]] int write_end() const { return ends_[1]; }
    void close_write() {
        if (ends_[1] >= 0)
            ::close(std::exchange(ends_[1], -1));
    }

  private:
    std::array<int, 2> ends_{-1, -1};
};

// A consumer in a process of its own. It begins when it is told to, and writes "member key number" for each
// message before it acknowledges it.
class member {
  public:
    member(char name, const std::string& name_servers, int notes) {
        pid_ = ::fork();
        EXPECT_GE(pid_, 0);
        if (pid_ != 0)
            return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        char go = 0;
        if (::read(start_.read_end(), &go, 1) == 1)
            consume(name, name_servers, notes);
        ::_exit(0);
    }
    ~member() {
        if (pid_ <= 0)
            return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    member(const member&) = delete;
    member& operator=(const member&) = delete;

    void begin() { EXPECT_EQ(::write(start_.write_end(), "!", 1), 1); }
    void signal(int which) const { EXPECT_TRUE(pid_ > 0 && ::kill(pid_, which) == 0); }

  private:
    [[noreturn]] static void consume(char name, const std::string& name_servers, int notes) {
        client::push_consumer_options options;
        options.client.name_servers = name_servers;
        options.client.client_id = std::string(1, name);
        options.group = "members";
        options.from = client::consume_from::first;
        options.ordered = true;
        options.rebalance_interval = 1s;
        options.commit_interval = 200ms;
        options.lock_interval = 500ms;
        options.lock_trust = 1'500ms; // less than the broker's rebalanceLockMaxLiveTime
        client::push_consumer consumer{options};
        const auto note = [&](const client::delivery& got) {
            const std::string line = std::string(1, name) + " " + std::string{got.body()} + "\n";
            return ::write(notes, line.data(), line.size()) == static_cast<ssize_t>(line.size());
        };
        const bool subscribed = consumer.subscribe("orders").ok();
        const auto started = consumer.start([&](client::delivery got) {
            if (note(got))
                got.ack();
        });
        if (subscribed && started.ok())
            for (;;)
                ::pause();
        ::_exit(1);
    }

    unnamed_pipe start_;
    pid_t pid_ = -1;
};

// What all members have written, in one order.
class notebook {
  public:
    explicit notebook(int from) : pages_(::fdopen(::dup(from), "r")) {
        reader_ = std::thread{[this] {
            char who = 0;
            int key = 0;
            int number = 0;
            while (std::fscanf(pages_, " %c %d %d", &who, &key, &number) == 3)
                note(who, key, number);
        }};
    }
    // When nobody can write any more.
    ~notebook() {
        reader_.join();
        std::fclose(pages_);
    }
    notebook(const notebook&) = delete;
    notebook& operator=(const notebook&) = delete;

    [[nodiscard]] std::set<int> keys_of(char who) const {
        const std::lock_guard lock{mutex_};
        std::set<int> found;
        for (const auto& [key, last] : last_by_)
            if (last == who)
                found.insert(key);
        return found;
    }
    [[nodiscard]] bool any_left(char who, const std::set<int>& of) const {
        return !std::ranges::includes(keys_of(who), of);
    }
    [[nodiscard]] bool all_left(char who, const std::set<int>& of) const {
        const std::lock_guard lock{mutex_};
        return std::ranges::all_of(of, [&](int key) { return last_by_.at(key) != who; });
    }
    [[nodiscard]] int written_by(char who) const {
        const std::lock_guard lock{mutex_};
        const auto found = written_.find(who);
        return found == written_.end() ? 0 : found->second;
    }
    [[nodiscard]] bool has_all(const std::map<int, int>& sent) const {
        const std::lock_guard lock{mutex_};
        return next_ == sent;
    }
    [[nodiscard]] int out_of_order() const {
        const std::lock_guard lock{mutex_};
        return out_of_order_;
    }
    [[nodiscard]] int again() const {
        const std::lock_guard lock{mutex_};
        return again_;
    }

  private:
    // The next one of its key, or one that came before and comes again from there on.
    void note(char who, int key, int number) {
        const std::lock_guard lock{mutex_};
        int& next = next_[key];
        out_of_order_ += number > next ? 1 : 0;
        again_ += number < next ? 1 : 0;
        next = std::max(next, number + 1);
        last_by_[key] = who;
        ++written_[who];
    }

    std::FILE* const pages_;
    std::thread reader_;
    mutable std::mutex mutex_;
    std::map<int, int> next_; // by key
    std::map<int, char> last_by_;
    std::map<char, int> written_;
    int out_of_order_ = 0;
    int again_ = 0;
};

// Sends the numbers of each key one after the other, until the end.
class orders {
  public:
    explicit orders(const std::string& name_servers) {
        client::producer_options options;
        options.client.name_servers = name_servers;
        producer_.emplace(options);
        EXPECT_TRUE(producer_->start().ok());
        sender_ = std::thread{[this] {
            while (running_)
                for (int key = 0; key < keys; ++key)
                    send(key);
        }};
    }
    ~orders() {
        if (sender_.joinable())
            (void)end();
    }
    orders(const orders&) = delete;
    orders& operator=(const orders&) = delete;

    // How many of each key there are.
    std::map<int, int> end() {
        running_ = false;
        sender_.join();
        return sent_;
    }

  private:
    void send(int key) {
        const auto body = std::to_string(key) + " " + std::to_string(sent_[key]);
        const auto sent =
            producer_->send({.topic = "orders", .body = body, .tag = {}, .keys = {}},
                            [=](const auto&, const auto&) { return static_cast<std::size_t>(key) % queues; });
        EXPECT_TRUE(sent.ok()) << sent.failure().message;
        ++sent_[key];
    }

    std::optional<client::producer> producer_;
    std::atomic<bool> running_{true};
    std::map<int, int> sent_;
    std::thread sender_;
};

TEST(ordered_members, keep_the_order_when_one_is_frozen_one_added_and_one_killed) {
    testing::temporary_directory data;
    testing::broker_process broker{
        {.data = data.path(), .settings = {"--rebalanceLockMaxLiveTime=3000", "--logLevel=info"}}};
    ASSERT_TRUE(broker.ready()) << broker.log();
    unnamed_pipe notes;
    std::optional<member> a{std::in_place, 'a', broker.name_servers(), notes.write_end()};
    std::optional<member> b{std::in_place, 'b', broker.name_servers(), notes.write_end()};
    std::optional<member> c{std::in_place, 'c', broker.name_servers(), notes.write_end()};
    notes.close_write();
    notebook seen{notes.read_end()};
    // Threads begin here; and no member may live on when the notebook waits for its end.
    const std::shared_ptr<void> ended{nullptr, [&](void*) { a.reset(), b.reset(), c.reset(); }};
    {
        client::admin admin{{.name_servers = broker.name_servers()}};
        ASSERT_TRUE(admin.start().ok());
        ASSERT_TRUE(admin.create_topic("orders", {.read_queues = queues, .write_queues = queues}).ok());
    }
    orders sending{broker.name_servers()};
    const auto wait = [](const auto& condition) { return testing::wait_for(patience, condition); };

    a->begin();
    b->begin();
    ASSERT_TRUE(wait([&] { return seen.keys_of('a').size() == 6 && seen.keys_of('b').size() == 6; }));

    a->signal(SIGSTOP);
    const auto frozen = seen.keys_of('a');
    c->begin();
    EXPECT_TRUE(wait([&] { return seen.written_by('c') > 0; })) << "the new member has queues of the second";
    EXPECT_TRUE(wait([&] { return seen.any_left('a', frozen); })) << "a lock of the frozen one is over";

    const int before = seen.written_by('a');
    a->signal(SIGCONT);
    EXPECT_TRUE(wait([&] { return seen.written_by('a') > before + 10; }))
        << "it goes on with what is left to it";

    const auto killed = seen.keys_of('b');
    EXPECT_FALSE(killed.empty());
    b->signal(SIGKILL);
    EXPECT_TRUE(wait([&] { return seen.all_left('b', killed); })) << "the others take what it had";

    const auto sent = sending.end();
    EXPECT_TRUE(wait([&] { return seen.has_all(sent); })) << "something did not come";
    EXPECT_EQ(seen.out_of_order(), 0);
    std::printf("%d messages came again\n", seen.again());
}

} // namespace
} // namespace holdfast::e2e
