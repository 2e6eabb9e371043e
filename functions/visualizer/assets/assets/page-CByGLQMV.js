import{a as o}from"./index-DP1zG6lm.js";function r(){return o("p",{class:"pad",children:"To come."})}export{r as ModelsPage};
