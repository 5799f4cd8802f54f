#include "client/connection.hpp"

#include "protocol/frame.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>

namespace holdfast::client {

namespace {

// Frames whose answers are matched under one lock.
constexpr std::size_t frames_per_turn = 64;
// A queue of bytes that once was long gives its memory back.
constexpr std::size_t kept_capacity_bytes = std::size_t{4} << 20U;

} // namespace

connection::connection(boost::asio::io_context& io, endpoint peer, const client_options& options,
                       std::shared_ptr<const connection_hooks> hooks)
    : io_(io),
      peer_(std::move(peer)),
      options_(options),
      hooks_(std::move(hooks)),
      resolver_(io),
      socket_(io),
      retry_timer_(io),
      expiry_timer_(io),
      backoff_(options.reconnect_first),
      commands_(frames_per_turn),
      waiting_(options.max_requests_in_flight) {}

std::optional<call_failure> connection::refusal() const {
    if (state_ == state::closed)
        return call_failure{call_failure_kind::closed, "the client is shut down"};
    if (outgoing_.size() > options_.max_bytes_unwritten)
        return call_failure{call_failure_kind::full, "more than " +
                                                         std::to_string(options_.max_bytes_unwritten) +
                                                         " bytes wait to be written to " + peer_.text()};
    return std::nullopt;
}

bool connection::queue_frame(const write_frame& write, std::int32_t opaque, bool oneway) {
    const auto serialize = options_.headers == header_format::binary ? protocol::serialize_type::binary
                                                                     : protocol::serialize_type::json;
    write.invoke(write.function, outgoing_,
                 {.opaque = opaque, .oneway = oneway, .serialize = serialize, .remark = {}});
    return !std::exchange(io_knows_, true);
}

void connection::start_with(std::shared_ptr<pending_call> call, in_flight::clock::time_point deadline,
                            write_frame write) {
    std::optional<call_failure> refused;
    bool tell = false;
    {
        const std::lock_guard lock{mutex_};
        refused = refusal();
        if (!refused) {
            if (const std::int32_t opaque = waiting_.add(call, deadline))
                tell = queue_frame(write, opaque, false);
            else
                refused = call_failure{call_failure_kind::full,
                                       "more than " + std::to_string(options_.max_requests_in_flight) +
                                           " requests wait for an answer of " + peer_.text()};
        }
    }
    if (tell)
        wake();
    if (refused)
        call->failed(*refused);
}

std::optional<call_failure> connection::start_oneway_with(write_frame write) {
    {
        const std::lock_guard lock{mutex_};
        if (auto refused = refusal())
            return refused;
        // Oneway requests share the numbers 1 .. with nobody: no answer comes that could be taken for
        // another.
        oneway_queued_ = true;
        if (!queue_frame(write, 1, true))
            return std::nullopt;
    }
    wake();
    return std::nullopt;
}

void connection::reply_with(write_frame write) {
    bool tell = false;
    {
        const std::lock_guard lock{mutex_};
        if (state_ == state::open)
            tell = queue_frame(write, 0, false);
    }
    if (tell)
        wake();
}

void connection::wake() {
    boost::asio::post(io_, [self = shared_from_this()] { self->pump(); });
}

void connection::pump() {
    state now{};
    {
        const std::lock_guard lock{mutex_};
        now = state_;
        // Without a connection nothing looks into the queue by itself: the next request must tell again, if
        // only to have its deadline watched.
        if (now != state::open)
            io_knows_ = false;
    }
    arm_expiry();
    if (now == state::idle)
        connect();
    else if (now == state::open)
        write_more();
}

void connection::connect() {
    {
        const std::lock_guard lock{mutex_};
        state_ = state::connecting;
    }
    const std::uint64_t attempt = ++attempt_;
    retry_timer_.expires_after(options_.connect_timeout);
    retry_timer_.async_wait([self = shared_from_this(), attempt](const boost::system::error_code& stopped) {
        if (!stopped && attempt == self->attempt_ && !self->is_open())
            self->lose(call_failure_kind::unreachable, "no connection in time");
    });
    resolver_.async_resolve(
        peer_.host, std::to_string(peer_.port), tcp::resolver::numeric_service,
        [self = shared_from_this(), attempt](const boost::system::error_code& failure,
                                             const tcp::resolver::results_type& places) {
            if (attempt != self->attempt_)
                return;
            if (failure)
                return self->connected(attempt, failure);
            boost::asio::async_connect(
                self->socket_, places,
                [self, attempt](const boost::system::error_code& result, const tcp::endpoint&) {
                    self->connected(attempt, result);
                });
        });
}

void connection::connected(std::uint64_t attempt, const boost::system::error_code& failure) {
    if (attempt != attempt_)
        return;
    retry_timer_.cancel();
    if (failure)
        return lose(call_failure_kind::unreachable, failure.message());
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay{true}, ignored);
    incoming_.reset();
    {
        const std::lock_guard lock{mutex_};
        state_ = state::open;
        io_knows_ = true;
        // Nobody waits any more for what was queued: do not send it late.
        if (waiting_.size() == 0 && !oneway_queued_)
            outgoing_.clear();
    }
    if (hooks_->opened)
        hooks_->opened(*this);
    write_more();
    read_more();
}

void connection::write_more() {
    if (!writing_.empty())
        return;
    {
        const std::lock_guard lock{mutex_};
        if (state_ != state::open)
            return;
        if (outgoing_.empty()) {
            io_knows_ = false;
            return;
        }
        if (writing_.capacity() > kept_capacity_bytes)
            writing_ = byte_buffer{};
        std::swap(writing_, outgoing_);
        oneway_queued_ = false;
    }
    written_ = 0;
    arm_expiry();
    write_rest();
}

void connection::write_rest() {
    const auto rest = boost::asio::buffer(writing_.data() + written_, writing_.size() - written_);
    socket_.async_write_some(rest, [self = shared_from_this(), attempt = attempt_](
                                       const boost::system::error_code& failure, std::size_t count) {
        if (attempt != self->attempt_)
            return;
        if (failure)
            return self->lose(call_failure_kind::connection_lost, failure.message());
        self->written_ += count;
        if (self->written_ < self->writing_.size())
            return self->write_rest();
        self->writing_.clear();
        self->write_more();
    });
}

void connection::read_more() {
    const auto size = protocol::peek_frame_size(incoming_.unread());
    const std::size_t known = size.ok() ? size->value_or(0) : 0;
    const auto room = incoming_.prepare(known);
    socket_.async_read_some(boost::asio::buffer(room.data(), room.size()),
                            [self = shared_from_this(), attempt = attempt_](
                                const boost::system::error_code& failure, std::size_t count) {
                                if (attempt == self->attempt_)
                                    self->received(failure, count);
                            });
}

void connection::received(const boost::system::error_code& failure, std::size_t count) {
    if (failure)
        return lose(call_failure_kind::connection_lost, failure.message());
    incoming_.filled(count);
    heard_ = in_flight::clock::now();
    backoff_ = options_.reconnect_first;
    const std::uint64_t attempt = attempt_;
    std::string why;
    if (!take_frames(why))
        return lose(call_failure_kind::connection_lost, why);
    // A call's answer may have closed the client.
    if (attempt == attempt_)
        read_more();
}

bool connection::take_frames(std::string& why_not) {
    const std::uint64_t attempt = attempt_;
    while (true) {
        std::size_t bytes = 0;
        std::size_t count = 0;
        while (count < frames_per_turn) {
            const auto frame = protocol::next_frame(incoming_.unread().subspan(bytes));
            if (!frame) {
                why_not = "the peer does not speak RocketMQ's protocol: " + frame.failure().message;
                return false;
            }
            if (!frame->has_value())
                break;
            if (const auto decoded = commands_[count].decode(**frame); !decoded) {
                why_not = "the peer sent a header that can't be read: " + decoded.failure().message;
                return false;
            }
            bytes += (*frame)->size;
            ++count;
        }
        if (count == 0)
            return true;
        hand_out(count);
        if (attempt != attempt_)
            return true;
        incoming_.consume(bytes);
    }
}

void connection::hand_out(std::size_t count) {
    const std::uint64_t attempt = attempt_;
    calls now = std::move(taken_);
    {
        const std::lock_guard lock{mutex_};
        for (std::size_t at = 0; at < count; ++at)
            now.push_back(commands_[at].is_response() ? waiting_.take(commands_[at].opaque()) : nullptr);
    }
    for (std::size_t at = 0; at < count; ++at) {
        const answer reply{commands_[at], incoming_};
        if (now[at] != nullptr)
            now[at]->answered(reply);
        else if (!commands_[at].is_response() && attempt == attempt_ && hooks_->asked)
            hooks_->asked(*this, reply);
    }
    now.clear();
    taken_ = std::move(now);
}

void connection::lose(call_failure_kind kind, const std::string& why) {
    ++attempt_;
    boost::system::error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
    writing_.clear();
    calls lost;
    bool was_open = false;
    {
        const std::lock_guard lock{mutex_};
        if (state_ == state::closed)
            return;
        was_open = state_ == state::open;
        state_ = state::waiting;
        io_knows_ = false;
        oneway_queued_ = false;
        outgoing_.clear();
        waiting_.take_all(lost);
    }
    wait_and_reconnect();
    fail(lost, kind, why);
    if (was_open && hooks_->lost)
        hooks_->lost(*this);
}

void connection::fail(calls& lost, call_failure_kind kind, const std::string& why) {
    const call_failure failure{kind, peer_.text() + ": " + why};
    for (const auto& call : lost)
        call->failed(failure);
}

void connection::wait_and_reconnect() {
    retry_timer_.expires_after(backoff_);
    backoff_ = std::min(backoff_ * 2, options_.reconnect_most);
    retry_timer_.async_wait(
        [self = shared_from_this(), attempt = attempt_](const boost::system::error_code& stopped) {
            if (stopped || attempt != self->attempt_)
                return;
            bool wanted = false;
            {
                const std::lock_guard lock{self->mutex_};
                self->state_ = state::idle;
                wanted = !self->outgoing_.empty();
            }
            if (wanted)
                self->connect();
        });
}

void connection::close() {
    ++attempt_;
    boost::system::error_code ignored;
    resolver_.cancel();
    retry_timer_.cancel();
    expiry_timer_.cancel();
    socket_.close(ignored);
    calls lost;
    {
        const std::lock_guard lock{mutex_};
        state_ = state::closed;
        outgoing_.clear();
        waiting_.take_all(lost);
    }
    fail(lost, call_failure_kind::closed, "the client is shut down");
}

void connection::arm_expiry() {
    auto next = in_flight::clock::time_point::max();
    {
        const std::lock_guard lock{mutex_};
        if (state_ != state::closed)
            next = waiting_.next_deadline();
    }
    if (next >= expiry_armed_)
        return;
    expiry_armed_ = next;
    expiry_timer_.expires_at(next);
    expiry_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& stopped) {
        if (stopped)
            return;
        self->expiry_armed_ = in_flight::clock::time_point::max();
        calls late;
        {
            const std::lock_guard lock{self->mutex_};
            self->waiting_.expire(in_flight::clock::now(), late);
        }
        self->arm_expiry();
        self->fail(late, call_failure_kind::timed_out, "no answer in time");
    });
}

void connection::abandon(const std::string& why) {
    lose(is_open() ? call_failure_kind::connection_lost : call_failure_kind::unreachable, why);
}

std::chrono::milliseconds connection::silent_for() const {
    const std::lock_guard lock{mutex_};
    if (waiting_.size() == 0)
        return std::chrono::milliseconds{0};
    const auto since = std::max(heard_, waiting_.busy_since());
    return std::chrono::duration_cast<std::chrono::milliseconds>(in_flight::clock::now() - since);
}

std::size_t connection::requests_in_flight() const {
    const std::lock_guard lock{mutex_};
    return waiting_.size();
}

bool connection::is_open() const {
    const std::lock_guard lock{mutex_};
    return state_ == state::open;
}

} // namespace holdfast::client
