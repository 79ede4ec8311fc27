package process

type baseline struct{}

func (e *Engine) bind(p *point) {}
