#include "bench/send_load.hpp"

#include "bench/decision_frames.hpp"
#include "bench/raw_socket.hpp"
#include "bench/send_frames.hpp"
#include "protocol/remoting_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <memory>

namespace holdfast::bench {
namespace {

constexpr std::uint32_t open_loop_outstanding = 65'536; // beyond it a send waits, and its latency shows it
constexpr std::size_t receive_bytes = 256U << 10U;

struct answer_head {
    bool succeeded = false;
    std::uint32_t opaque = 0;
};

// Looks only where an answer of ours has these fields; a full decode would cost more than the send.
answer_head read_head(const protocol::frame_view& frame) {
    if (frame.serialize == protocol::serialize_type::binary)
        return {load_big<std::uint16_t>(frame.header.data()) == 0,
                load_big<std::uint32_t>(frame.header.data() + 5)};
    const auto text = as_text(frame.header);
    constexpr std::string_view key = R"("opaque":)";
    const auto at = text.find(key);
    if (at == std::string_view::npos)
        give_up("an answer has no opaque: " + std::string{text});
    answer_head head{text.starts_with(R"({"code":0,)"), 0};
    for (auto digit = at + key.size(); text[digit] >= '0' && text[digit] <= '9'; ++digit)
        head.opaque = head.opaque * 10 + static_cast<std::uint32_t>(text[digit] - '0');
    return head;
}

class sender {
  public:
    sender(const load_options& options, std::uint32_t number, std::uint32_t window, int poller)
        : socket_(options.host, options.broker_port),
          frames_(options),
          decisions_(options),
          commits_(options.transactional && !options.undecided),
          window_(window),
          key_base_(std::uint64_t{number} << 40U),
          started_(std::bit_ceil(std::size_t{window} * 4)),
          poller_(poller) {
        ::fcntl(socket_.descriptor(), F_SETFL, O_NONBLOCK);
        epoll_event wanted{EPOLLIN, {.ptr = this}};
        ::epoll_ctl(poller_, EPOLL_CTL_ADD, socket_.descriptor(), &wanted);
    }

    [[nodiscard]] std::uint32_t outstanding() const { return outstanding_; }
    [[nodiscard]] std::uint32_t room() const { return is_idle() ? window_ - outstanding_ : 0; }

    // Sends up to `count`, as far as the socket takes them; `due_ns(i)` is when the i-th counts from.
    template <class Due>
    std::uint32_t send(std::uint32_t count, Due due_ns) {
        std::uint32_t sent = 0;
        while (sent < count && is_idle()) {
            const auto piece =
                frames_.next(count - sent, send_frames::smallest_opaque + next_, key_base_ + next_);
            for (std::uint32_t i = 0; i < piece.count; ++i)
                started_[(next_ + i) & (started_.size() - 1)] = due_ns(sent + i);
            next_ += piece.count;
            sent += piece.count;
            outstanding_ += piece.count;
            unsent_ = piece.bytes;
            write();
        }
        return sent;
    }

    // Goes on with what the socket did not take.
    void write() {
        push(unsent_);
        if (unsent_.empty() && undecided_.size() > decided_) {
            const auto all = as_text(undecided_.view());
            std::span<const char> rest{all.data() + decided_, all.size() - decided_};
            push(rest);
            decided_ = all.size() - rest.size();
            if (rest.empty()) {
                undecided_.clear();
                decided_ = 0;
            }
        }
        if (is_idle() == waits_for_room_) {
            waits_for_room_ = !waits_for_room_;
            epoll_event wanted{waits_for_room_ ? EPOLLIN | EPOLLOUT : EPOLLIN, {.ptr = this}};
            ::epoll_ctl(poller_, EPOLL_CTL_MOD, socket_.descriptor(), &wanted);
        }
    }

    void read(send_figures& figures) {
        const auto count =
            ::recv(socket_.descriptor(), received_.get() + filled_, receive_bytes - filled_, 0);
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0)
            give_up("the broker closed the connection");
        filled_ += static_cast<std::size_t>(count);
        const auto now = now_ns();
        std::size_t first = 0;
        for (;;) {
            const auto found = protocol::next_frame({received_.get() + first, filled_ - first});
            if (!found)
                give_up("the broker sent what is no frame: " + found.failure().message);
            if (!*found)
                break;
            note(**found, now, figures);
            first += (*found)->size;
        }
        if (!undecided_.empty())
            write();
        filled_ -= first;
        std::memmove(received_.get(), received_.get() + first, filled_);
    }

  private:
    [[nodiscard]] bool is_idle() const { return unsent_.empty() && undecided_.empty(); }

    // As far as the socket takes it.
    void push(std::span<const char>& rest) {
        while (!rest.empty()) {
            const auto count = ::send(socket_.descriptor(), rest.data(), rest.size(), MSG_NOSIGNAL);
            if (count < 0 && errno != EAGAIN)
                give_up(std::string{"writing failed: "} + std::strerror(errno));
            if (count < 0)
                break;
            rest = rest.subspan(static_cast<std::size_t>(count));
        }
    }

    void note(const protocol::frame_view& frame, std::uint64_t now, send_figures& figures) {
        const auto head = read_head(frame);
        --outstanding_;
        if (!head.succeeded) {
            if (figures.refused++ == 0) {
                protocol::remoting_command answer;
                if (answer.decode(frame).ok())
                    figures.refusal = fmt::format("code {}: {}", answer.code(), answer.remark());
            }
            return;
        }
        const auto started = started_[(head.opaque - send_frames::smallest_opaque) & (started_.size() - 1)];
        figures.latencies.record(now - started);
        if (commits_)
            decisions_.add(frame, undecided_);
    }

    raw_socket socket_;
    send_frames frames_;
    decision_frames decisions_;
    const bool commits_;
    const std::uint32_t window_;
    const std::uint64_t key_base_;
    std::vector<std::uint64_t> started_; // ns, by number of the request
    const int poller_;
    std::uint32_t next_ = 0;
    std::uint32_t outstanding_ = 0;
    std::span<const char> unsent_;
    byte_buffer undecided_;   // decisions that go out behind unsent_
    std::size_t decided_ = 0; // bytes of it that are out
    bool waits_for_room_ = false;
    std::unique_ptr<std::byte[]> received_{new std::byte[receive_bytes]};
    std::size_t filled_ = 0;
};

class send_run {
  public:
    explicit send_run(const load_options& options)
        : options_(options), poller_(::epoll_create1(EPOLL_CLOEXEC)), is_open_loop_(options.rate > 0) {
        ::prctl(PR_SET_TIMERSLACK, 1'000UL);
        const auto window = is_open_loop_ ? open_loop_outstanding : options_.outstanding;
        for (std::uint32_t number = 0; number < options_.connections; ++number)
            senders_.push_back(std::make_unique<sender>(options_, number, window, poller_));
    }

    send_figures run() {
        begun_ns_ = now_ns();
        const auto warm_ns = begun_ns_ + nanoseconds(options_.warm_up);
        go(warm_ns, 0);
        figures_ = {};
        const auto measured_ns = now_ns();
        const auto no_end = ~std::uint64_t{0};
        go(options_.count != 0 ? no_end : measured_ns + nanoseconds(options_.duration), options_.count);
        figures_.seconds = static_cast<double>(now_ns() - measured_ns) / 1e9;
        auto done = std::move(figures_);
        figures_ = {};
        finish();
        done.refused += figures_.refused;
        return done;
    }

  private:
    static std::uint64_t nanoseconds(std::chrono::duration<double> time) {
        return static_cast<std::uint64_t>(time.count() * 1e9);
    }

    // Until that time, or until so many answers are there (0: no matter).
    void go(std::uint64_t until_ns, std::uint64_t answers) {
        for (;;) {
            const auto now = now_ns();
            if (now >= until_ns || (answers != 0 && figures_.latencies.total() >= answers))
                return;
            if (is_open_loop_)
                send_due(now);
            else
                for (const auto& each : senders_)
                    if (const auto room = each->room(); room != 0)
                        each->send(room, [now](std::uint32_t) { return now; });
            wait(is_open_loop_ ? std::max(due_ns(sent_), now + 20'000) - now : until_ns - now);
        }
    }

    [[nodiscard]] std::uint64_t due_ns(std::uint64_t number) const {
        return begun_ns_ + static_cast<std::uint64_t>(static_cast<double>(number) * 1e9 / options_.rate);
    }

    void send_due(std::uint64_t now) {
        const auto due =
            static_cast<std::uint64_t>(static_cast<double>(now - begun_ns_) * options_.rate / 1e9);
        std::size_t stuck = 0;
        while (sent_ < due && stuck < senders_.size()) {
            auto& next = *senders_[turn_++ % senders_.size()];
            const auto share = (due - sent_ + senders_.size() - 1) / senders_.size();
            const auto wanted = static_cast<std::uint32_t>(std::min<std::uint64_t>(share, next.room()));
            const auto count = next.send(wanted, [&](std::uint32_t i) { return due_ns(sent_ + i); });
            sent_ += count;
            stuck = count == 0 ? stuck + 1 : 0;
        }
    }

    void wait(std::uint64_t at_most_ns) {
        constexpr std::uint64_t second = 1'000'000'000;
        const auto bounded = std::min(at_most_ns, second / 10);
        const timespec pause{static_cast<time_t>(bounded / second), static_cast<long>(bounded % second)};
        std::array<epoll_event, 64> ready{};
        const auto count =
            ::epoll_pwait2(poller_, ready.data(), static_cast<int>(ready.size()), &pause, nullptr);
        for (int i = 0; i < count; ++i) {
            auto& which = *static_cast<sender*>(ready[static_cast<std::size_t>(i)].data.ptr);
            const auto events = ready[static_cast<std::size_t>(i)].events;
            if ((events & EPOLLOUT) != 0)
                which.write();
            if ((events & ~EPOLLOUT) != 0)
                which.read(figures_);
        }
    }

    // Every send must have its one answer.
    void finish() {
        const auto deadline = now_ns() + 10'000'000'000;
        const auto outstanding = [this] {
            std::uint64_t all = 0;
            for (const auto& each : senders_)
                all += each->outstanding();
            return all;
        };
        while (outstanding() != 0 && now_ns() < deadline)
            wait(100'000'000);
        if (outstanding() != 0)
            give_up(fmt::format("{} sends have had no answer for 10 s", outstanding()));
    }

    const load_options& options_;
    const int poller_;
    const bool is_open_loop_;
    std::vector<std::unique_ptr<sender>> senders_;
    send_figures figures_;
    std::uint64_t begun_ns_ = 0;
    std::uint64_t sent_ = 0; // open loop
    std::size_t turn_ = 0;
};

} // namespace

send_figures run_sends(const load_options& options) {
    return send_run{options}.run();
}

} // namespace holdfast::bench
